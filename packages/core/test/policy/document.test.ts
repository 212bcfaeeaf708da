import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { extensionArcs } from '../../src/policy/extensions.ts'
import { CountersignError } from '../../src/failure.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { failureOf } from '../refusal.ts'
import { documentOf, somebody } from './fixture.ts'
import { accepts, sample, type Schema, variations } from './schema.ts'

const alice = await somebody('alice')
const schema = JSON.parse(readFileSync(new URL('../../../../docs/schema/artifact-policy.schema.json', import.meta.url), 'utf8')) as Schema

const identities = {
  alice: { keys: [alice.pem] },
  bob: { keys: [{ name: 'bob.pub' }] },
  ci: { certificate: { issuer: 'https://i', subject: { glob: 'x*' } } },
}
const signed = { name: 'signed', signature: { by: 'alice' } }
const good = { identities, require: [signed] }

function refusedAt(parts: { readonly [name: string]: JsonValue }): string {
  const failure = failureOf(() => parsePolicy(documentOf({ ...good, ...parts })))
  if (failure === undefined) return 'accepted'
  expect(failure.code).toBe('policy_malformed')
  return failure.message.slice(0, failure.message.indexOf(': '))
}

describe('a policy document', () => {
  it('is read whole', () => {
    const policy = parsePolicy(
      documentOf({
        metadata: { name: 'production' },
        match: { images: ['registry.example/**'], files: ['dist/*.tar.gz'], mediaTypes: ['application/x'], unmatched: 'warn' },
        identities: {
          ...identities,
          carol: {
            keys: [{ pem: alice.pem, validFrom: '2026-01-01T00:00:00Z', validUntil: '2027-01-01T00:00:00Z' }],
            person: 'carol',
            roles: ['release'],
          },
        },
        groups: { team: { threshold: 2, of: ['alice', { anyOf: ['bob', 'ci'] }] } },
        revocations: [{ name: 'main', keys: [{ fingerprint: `sha256:${'0'.repeat(64)}` }], threshold: 1, minVersion: 4, required: false }],
        require: [
          {
            name: 'signed',
            signature: { by: 'team', annotations: { env: 'prod' }, logged: true, time: 'required' },
            onMissing: 'warn',
            onFail: 'allow',
          },
          {
            name: 'sbom',
            match: { images: ['registry.example/x'] },
            attestation: { type: 'spdxjson', by: { allOf: ['ci'] }, condition: 'true', newest: true, maxAge: '24h' },
          },
          { name: 'platforms', platforms: ['linux/amd64', 'linux/arm/v7'] },
        ],
      }),
    )
    expect(policy).toMatchObject({
      name: 'production',
      unmatched: 'warn',
      rules: [
        {
          name: 'signed',
          onMissing: 'warn',
          onFail: 'allow',
          demand: { by: { kind: 'group', name: 'team', threshold: 2 }, time: { required: true, logged: true } },
        },
        {
          name: 'sbom',
          onMissing: 'deny',
          demand: { predicateType: 'https://spdx.dev/Document', newest: true, time: { maxAgeMs: 86_400_000 } },
        },
        { name: 'platforms' },
      ],
      revocations: [{ minVersion: 4, required: false }],
    })
  })

  it.each<[string, { readonly [name: string]: JsonValue }, string]>([
    ['another kind', { kind: 'Policy' }, '$.kind'],
    ['another version', { apiVersion: 'countersign.dev/v2' }, '$.apiVersion'],
    ['an unknown field', { requires: [] }, '$'],
    ['a misspelt field of a rule', { require: [{ ...signed, onmissing: 'deny' }] }, '$.require[0]'],
    ['no rule: it would allow everything', { require: [] }, '$.require'],
    ['two rules of one name', { require: [signed, signed] }, '$.require'],
    ['a rule without demand', { require: [{ name: 'x' }] }, '$.require[0]'],
    ['a rule with two', { require: [{ ...signed, platforms: ['linux/amd64'] }] }, '$.require[0]'],
    ['a match of nothing', { match: { images: [] } }, '$.match'],
    ['a glob that is none', { match: { images: ['***'] } }, '$.match.images[0]'],
    ['a signer who is nobody', { require: [{ name: 'x', signature: { by: 'mallory' } }] }, '$.require[0].signature.by'],
    ['a group of nobody', { require: [{ name: 'x', signature: { by: { allOf: [] } } }] }, '$.require[0].signature.by.allOf'],
    [
      'a threshold of zero',
      { require: [{ name: 'x', signature: { by: { threshold: 0, of: ['alice'] } } }] },
      '$.require[0].signature.by.threshold',
    ],
    [
      'a threshold out of reach',
      { require: [{ name: 'x', signature: { by: { threshold: 3, of: ['alice', 'bob'] } } }] },
      '$.require[0].signature.by.threshold',
    ],
    ['groups in a circle', { groups: { a: { anyOf: ['b'] }, b: { anyOf: ['a'] } } }, '$.groups.a'],
    [
      'people told apart without saying whose key it is',
      { groups: { a: { threshold: 2, of: ['alice', 'bob'], distinct: 'person' } } },
      '$.groups.a',
    ],
    [
      'an identity that is key and certificate',
      { identities: { ...identities, x: { keys: [alice.pem], certificate: {} } } },
      '$.identities.x',
    ],
    ['an identity that is nothing', { identities: { ...identities, x: {} } }, '$.identities.x'],
    [
      'a certificate without subject',
      { identities: { ...identities, x: { certificate: { issuer: 'i' } } } },
      '$.identities.x.certificate.subject',
    ],
    [
      'an extension that Fulcio does not have',
      { identities: { ...identities, x: { certificate: { issuer: 'i', subject: 's', extensions: { ref: 'x' } } } } },
      '$.identities.x.certificate.extensions.ref',
    ],
    [
      'a window that ends before it starts',
      { identities: { ...identities, x: { keys: [{ pem: 'x', validFrom: '2026-01-02T00:00:00Z', validUntil: '2026-01-01T00:00:00Z' }] } } },
      '$.identities.x.keys[0].validUntil',
    ],
    [
      'a time without zone',
      { identities: { ...identities, x: { keys: [{ pem: 'x', validFrom: '2026-01-02' }] } } },
      '$.identities.x.keys[0].validFrom',
    ],
    [
      'an attestation that is the type of signatures',
      { require: [{ name: 'x', attestation: { type: 'https://sigstore.dev/cosign/sign/v1', by: 'alice' } }] },
      '$.require[0].attestation.type',
    ],
    ['an age that is none', { require: [{ name: 'x', signature: { by: 'alice', maxAge: '1 day' } }] }, '$.require[0].signature.maxAge'],
    [
      'a revocation list that too few can sign',
      { revocations: [{ name: 'x', keys: [alice.pem], threshold: 2 }] },
      '$.revocations[0].threshold',
    ],
    [
      'a window of a key that signs revocations',
      { revocations: [{ name: 'x', keys: [{ pem: 'x', validFrom: '2026-01-02T00:00:00Z' }] }] },
      '$.revocations[0].keys[0]',
    ],
  ])('refuses %s', (_what, parts, path) => {
    expect(refusedAt(parts)).toBe(path)
  })
})

describe('compiling', () => {
  async function compiling(parts: { readonly [name: string]: JsonValue }): Promise<string> {
    try {
      await compilePolicy(parsePolicy(documentOf({ ...good, ...parts })), {
        primitives: nodePrimitives,
        keys: new Map([['bob.pub', alice.key.publicKey]]),
      })
      return 'compiled'
    } catch (cause) {
      if (!(cause instanceof CountersignError)) throw cause
      return `${cause.code} ${cause.message}`
    }
  }

  it('resolves keys by name and by fingerprint', async () => {
    expect(await compiling({})).toBe('compiled')
    expect(await compiling({ identities: { alice: { keys: [{ fingerprint: alice.signer.fingerprint }] } } })).toBe('compiled')
  })

  it.each<[string, { readonly [name: string]: JsonValue }, RegExp]>([
    [
      'a key that was not given',
      { identities: { alice: { keys: [{ name: 'other' }] } } },
      /^trust_missing \$\.identities\.alice\.keys\[0\]: /,
    ],
    ['a PEM that is no key', { identities: { alice: { keys: ['x'] } } }, /^policy_malformed \$\.identities\.alice\.keys\[0\]: /],
    [
      'a pattern that is none',
      { identities: { ...identities, x: { certificate: { issuer: 'i', subject: { pattern: '(' } } } } },
      /^policy_malformed \$\.identities\.x\.certificate\.subject: /,
    ],
    [
      'attack: a pattern that closes the group',
      { identities: { ...identities, x: { certificate: { issuer: 'i', subject: { pattern: 'a)|(b' } } } } },
      /^policy_malformed/,
    ],
    [
      'a condition that is none',
      { require: [{ name: 'x', attestation: { type: 'spdx', by: 'alice', condition: '1 +' } }] },
      /^policy_malformed \$\.require\[0\]\.attestation\.condition: /,
    ],
    [
      'attack: a list signed by a key that it can revoke',
      { revocations: [{ name: 'x', keys: [alice.pem] }] },
      /^policy_malformed \$\.revocations\[0\]\.keys: .*which the list can revoke/,
    ],
  ])('refuses %s', async (_what, parts, expected) => {
    expect(await compiling(parts)).toMatch(expected)
  })

  it('attack: one key named twice cannot fill a threshold of two', async () => {
    const keys = [(await somebody('board')).pem]
    expect(await compiling({ revocations: [{ name: 'x', keys: [...keys, ...keys], threshold: 2 }] })).toMatch(/^policy_malformed .*twice/)
  })
})

describe('docs/schema/artifact-policy.schema.json', () => {
  /** What a schema cannot say: that names exist and thresholds can be reached. */
  const beyond =
    /names no identity|never be reached|never sign|are called|is an identity too|not a glob|ends before|before this and after|nothing says whose key|roles need as many|deeper than|type of signatures|not a predicate type|characters/

  it('samples of it are read, but for what it cannot say', () => {
    let read = 0
    fc.assert(
      fc.property(sample(schema), (value) => {
        const failure = failureOf(() => parsePolicy(value as JsonValue))
        if (failure === undefined) read += 1
        expect(failure === undefined ? 'two rules are called' : failure.message).toMatch(beyond)
      }),
      { numRuns: 500 },
    )
    expect(read).toBeGreaterThan(10)
  })

  it('and the parser agree on a whole policy, and on every field that is taken away or misspelt', () => {
    const whole = documentOf({
      metadata: { name: 'production' },
      match: { images: ['registry.example/**'], unmatched: 'deny' },
      identities: {
        alice: { keys: [alice.pem], person: 'alice' },
        ci: { certificate: { issuer: 'https://i', subject: { glob: 'x' }, extensions: { buildTrigger: 'push' } } },
      },
      groups: { team: { threshold: 2, of: ['alice', 'ci'], distinct: 'person' } },
      revocations: [{ name: 'main', keys: ['x'], threshold: 1 }],
      require: [
        { name: 'a', signature: { by: 'team', logged: true } },
        { name: 'b', attestation: { type: 'spdx', by: { anyOf: ['ci'] }, maxAge: '1d' }, onFail: 'warn' },
        { name: 'c', platforms: ['linux/amd64'] },
      ],
    })
    expect(accepts(schema, whole)).toBe(true)
    expect(failureOf(() => parsePolicy(whole))).toBeUndefined()
    for (const changed of variations(whole)) {
      const failure = failureOf(() => parsePolicy(changed))
      if (failure !== undefined && beyond.test(failure.message)) continue
      expect([JSON.stringify(changed), accepts(schema, changed)]).toEqual([JSON.stringify(changed), failure === undefined])
    }
  })

  it('names every extension that the parser knows', () => {
    expect(JSON.stringify(schema)).toContain(JSON.stringify(Object.keys(extensionArcs)))
  })
})
