import { describe, expect, it } from 'vitest'
import type { SignedEntity } from '../../src/bundle/model.ts'
import { utf8 } from '../../src/bytes.ts'
import { inTotoPayloadType, preAuthEncoding } from '../../src/dsse/envelope.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import { termMembers, termNames } from '../../src/verify/terms.ts'
import { artifactBytes, digestOf, entityOf, keysOf, newTestKey, nowMs, policyOf, signWith, simpleSigningBy, verified } from './forge.ts'

const key = newTestKey()
const later = formatTime(nowMs + 1000)
const { expires, name } = termNames

function bundleWith(predicate: JsonValue, predicateType = 'https://sigstore.dev/cosign/sign/v1'): SignedEntity {
  const subject = [{ digest: { sha256: digestOf(artifactBytes).slice(7) } }]
  const payload = utf8(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject, predicateType, predicate }))
  const sig = signWith(key, preAuthEncoding(inTotoPayloadType, payload))
  return entityOf({ kind: 'dsse', envelope: { payloadType: inTotoPayloadType, payload, signatures: [{ sig }] } })
}
const legacyWith = (optional: JsonValue): SignedEntity => entityOf(simpleSigningBy(key, digestOf(artifactBytes), optional))
const verify = (entity: SignedEntity): Promise<Verification> =>
  verified(entity, policyOf(keysOf(key), { content: { kind: 'any_content' } }))

async function outcome(entity: SignedEntity): Promise<unknown> {
  const result = await verify(entity)
  return result.ok ? (result.evidence.terms ?? 'none') : result.code
}

describe.each([
  ['a bundle', bundleWith, 'statement_malformed'],
  ['a legacy signature', legacyWith, 'bundle_malformed'],
] as const)('%s', (_form, make, malformed) => {
  it.each([
    ['without terms', {}, 'none'],
    ['with others’ members', { x: { y: 1 } }, 'none'],
    ['with null in their place', { [expires]: null }, 'none'],
    ['that expires later', { [expires]: later }, { expiresMs: nowMs + 1000 }],
    ['that is bound to a name', { [name]: 'registry.example/app' }, { name: 'registry.example/app' }],
    ['that expired', { [expires]: formatTime(nowMs - 1000) }, 'signature_expired'],
    ['that expires now', { [expires]: formatTime(nowMs) }, 'signature_expired'],
    ['with an expiry that is no time', { [expires]: 'never' }, malformed],
    ['with an expiry that is no text', { [expires]: 4e9 }, malformed],
    ['with an empty name', { [name]: '' }, malformed],
  ])('%s', async (_what, members, expected) => {
    expect(await outcome(make(members))).toEqual(expected)
  })

  it('says when it expires among the checks that held', async () => {
    const result = await verify(make({ [expires]: later }))
    expect(result.ok && result.evidence.checks.some(({ check }) => check === 'expiry')).toBe(true)
  })
})

it('a predicate that is no object has no terms', async () => {
  expect(await Promise.all([bundleWith([1]), bundleWith('x'), bundleWith(null)].map(outcome))).toEqual(['none', 'none', 'none'])
})

it('an attestation has none: its predicate belongs to others', async () => {
  expect(await outcome(bundleWith({ [expires]: formatTime(0) }, 'https://example.com/p'))).toBe('none')
})

it('are written as they are read', async () => {
  const terms = { expiresMs: nowMs + 5000, name: 'registry.example/app' }
  expect(await outcome(bundleWith(termMembers(terms)))).toEqual(terms)
  expect(termMembers({})).toEqual({})
})
