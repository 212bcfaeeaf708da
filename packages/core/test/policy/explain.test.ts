import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { explainPolicy } from '../../src/policy/explain.ts'
import { compiled, image, somebody } from './fixture.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const policy = await compiled({
  match: { images: ['registry.example/**'], unmatched: 'warn' },
  mirrors: [{ from: 'vendor.example/**', to: 'registry.example/vendor/**' }],
  identities: {
    alice: { person: 'alice', roles: ['security'], keys: [{ pem: alice.pem, validUntil: '2027-01-01T00:00:00Z' }] },
    bob: { person: 'bob', roles: ['release'], keys: [bob.pem] },
    ci: { certificate: { issuer: 'https://i', subject: { glob: 'https://r/*' }, extensions: { runnerEnvironment: 'hosted' } } },
  },
  revocations: [{ name: 'acme', keys: [board.pem], minVersion: 4 }],
  require: [
    {
      name: 'signed',
      signature: {
        by: { allOf: ['ci', { threshold: 1, of: ['alice', 'bob'], distinct: 'person' }] },
        annotations: { env: 'prod' },
        maxLifetime: '30d',
        boundName: 'required',
      },
    },
    {
      name: 'scanned',
      match: { images: ['registry.example/prod/**'] },
      attestation: { type: 'vuln', by: 'ci', newest: true, maxAge: '24h', logged: true, condition: 'predicate.ok' },
      onMissing: 'warn',
    },
    { name: 'platforms', platforms: ['linux/amd64'] },
  ],
})

describe('a policy in words', () => {
  it('says of what it speaks, who must sign what, when it counts and what happens otherwise', () => {
    const { about, unmatched, rules, revocations, mirrors } = explainPolicy(policy)
    expect([about, unmatched]).toEqual(['images registry.example/**', 'what it does not speak of is allowed with a warning'])
    expect(rules.map(({ demand, otherwise }) => [demand, otherwise])).toEqual([
      [
        'it is signed by (each of ci, one of alice, bob, different people), with env=prod in the signature, and expires at most 30 days after it was made, and bound to the name that the image has, or that a mirror has it from',
        'otherwise it is denied',
      ],
      [
        'an attestation of type https://cosign.sigstore.dev/attestation/vuln/v1 is signed by ci, in a log that is trusted, in the last 1 day, and predicate.ok; only the newest of each signer counts',
        'if nothing of theirs is there, it is allowed with a warning; if something is there and does not suffice, denied',
      ],
      ['it has the platforms linux/amd64', 'if one is lacking, it is denied'],
    ])
    expect(rules[0]?.identities).toEqual([
      { name: 'ci', who: 'a certificate for glob https://r/* by issuer https://i, with runnerEnvironment hosted' },
      { name: 'alice', who: 'the key in the policy, for what was signed until 2027-01-01T00:00:00Z (person alice; roles security)' },
      { name: 'bob', who: 'the key in the policy (person bob; roles release)' },
    ])
    expect(revocations).toEqual(['list acme of version 4 or later, signed by 1 of the key in the policy; without it nothing can be told'])
    expect(mirrors).toEqual(['what is signed for vendor.example/** may be used as registry.example/vendor/**'])
  })

  it.each<[string, JsonValue]>([
    ['registry.example/team/app:1', [true, true, false, true]],
    ['registry.example/prod/app:1', [true, true, true, true]],
    ['other.example/prod/app:1', [false, false, false, false]],
  ])('says which rules apply to %s', (reference, expected) => {
    const { applies, rules } = explainPolicy(policy, { ...image, reference: parseReference(reference) })
    expect([applies, ...rules.map((rule) => rule.applies)]).toEqual(expected)
  })
})
