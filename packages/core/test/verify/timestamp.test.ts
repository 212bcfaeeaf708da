import { describe, expect, it } from 'vitest'
import { serializeEnvelope } from '../../src/dsse/envelope.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import type { AuthorityInstance } from '../../src/trust/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { Demand } from '../../src/verify/policy.ts'
import { clockSkewMs } from '../../src/verify/time.ts'
import { newTsa, responseWith, tokenBy, type TestTsa } from '../rfc3161/stamp.ts'
import { start2026 } from '../x509/issue.ts'
import {
  artifactBytes,
  entityOf,
  envelopeBy,
  keysOf,
  messageBy,
  newTestKey,
  nowMs,
  policyOf,
  rootOf,
  signedAtMs,
  verified,
} from './forge.ts'

const key = newTestKey()
const tsa = newTsa()
const foreign = newTsa({ serial: 9 })
const posing = newTsa()
const message = messageBy(key)
const required: Demand = { kind: 'required' }
const notDemanded: Demand = { kind: 'not_demanded' }

function trusting(one: TestTsa, validFor: AuthorityInstance['validFor'] = { start: start2026 }): AuthorityInstance {
  return { organization: 'example', commonName: 'tsa', uri: 'https://tsa.example', certificates: [one.leaf, one.root], validFor }
}

function stamp(stamped: Uint8Array, by: TestTsa = tsa, genTimeMs = signedAtMs): Uint8Array {
  return responseWith(tokenBy(by, { message: stamped, genTimeMs }))
}

async function verifyWith(
  timestamps: readonly Uint8Array[],
  signedTimestamp: Demand = required,
  content: SignedEntity['content'] = message,
  timestampAuthorities: readonly AuthorityInstance[] = [trusting(tsa)],
): Promise<Verification> {
  const policy = policyOf(keysOf(key), { signedTimestamp, content: { kind: 'any_content' } })
  return verified({ ...entityOf(content), timestamps }, policy, { trustedRoot: rootOf({ timestampAuthorities }) })
}

async function codeOf(...parameters: Parameters<typeof verifyWith>): Promise<string> {
  const result = await verifyWith(...parameters)
  return result.ok ? 'verified' : result.code
}

describe('a timestamp', () => {
  it('of the raw signature gives a trusted time', async () => {
    const result = await verifyWith([stamp(message.signature)])
    expect(result).toMatchObject({ ok: true, evidence: { times: [{ source: 'timestamp', timeMs: signedAtMs }] } })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toContain('timestamp')
  })

  it.each([
    ['the artifact', artifactBytes],
    ['another signature', messageBy(key).signature],
    ['nothing', new Uint8Array()],
  ])('of %s is timestamp_invalid, demanded or not', async (_what, stamped) => {
    expect(await codeOf([stamp(stamped)])).toBe('timestamp_invalid')
    expect(await codeOf([stamp(stamped)], notDemanded)).toBe('timestamp_invalid')
    expect(await codeOf([stamp(message.signature), stamp(stamped)])).toBe('timestamp_invalid')
  })

  it('in the future is timestamp_invalid, up to a minute of clock difference is not', async () => {
    expect(await codeOf([stamp(message.signature, tsa, nowMs + clockSkewMs)])).toBe('verified')
    expect(await codeOf([stamp(message.signature, tsa, nowMs + clockSkewMs + 1000)])).toBe('timestamp_invalid')
  })

  it.each([
    ['ends at its time', { start: 0, end: signedAtMs }, 'verified'],
    ['ended before', { start: 0, end: signedAtMs - 1 }, 'timestamp_untrusted'],
    ['starts after', { start: signedAtMs + 1 }, 'timestamp_untrusted'],
  ])('by an authority whose trust %s gives %s %s', async (_what, validFor, expected) => {
    expect(await codeOf([stamp(message.signature)], notDemanded, message, [trusting(tsa, validFor)])).toBe(expected)
  })

  it('by a known authority that does not hold refuses also beside a good one', async () => {
    const other = newTsa({ notAfterMs: signedAtMs - 1 })
    const both = [stamp(message.signature), stamp(message.signature, other)]
    expect(await codeOf(both, required, message, [trusting(tsa), trusting(other)])).toBe('timestamp_untrusted')
  })
})

describe('a foreign timestamp', () => {
  it('is not counted, not listed, and does no harm beside a trusted one', async () => {
    const result = await verifyWith([stamp(message.signature, foreign), stamp(message.signature)])
    expect(result).toMatchObject({ ok: true, evidence: { times: [{ source: 'timestamp', timeMs: signedAtMs }] } })
    expect(result.ok && result.evidence.times).toHaveLength(1)
  })

  it('alone does not meet a demand: timestamp_untrusted', async () => {
    expect(await codeOf([stamp(message.signature, foreign)])).toBe('timestamp_untrusted')
    expect(await codeOf([stamp(message.signature, foreign)], notDemanded)).toBe('verified')
  })

  it('that poses as a trusted authority by its name and serial number is refused', async () => {
    expect(await codeOf([stamp(message.signature, posing)], notDemanded)).toBe('timestamp_untrusted')
    expect(await codeOf([stamp(message.signature, { ...posing, leaf: tsa.leaf })], notDemanded)).toBe('timestamp_invalid')
  })
})

describe('timestamps of one authority', () => {
  it('count as one, and every one of them must hold', async () => {
    const result = await verifyWith([stamp(message.signature), stamp(message.signature, tsa, signedAtMs + 1000)])
    expect(result.ok && result.evidence.times).toEqual([
      { source: 'timestamp', timeMs: signedAtMs, authority: expect.any(String) as string },
    ])
  })
})

describe('a demanded timestamp', () => {
  it('that is missing is timestamp_missing', async () => {
    expect(await codeOf([])).toBe('timestamp_missing')
  })

  it('is trust_missing when no authority is trusted', async () => {
    expect(await codeOf([stamp(message.signature)], required, message, [])).toBe('trust_missing')
  })
})

describe('a timestamp of an envelope', () => {
  const { envelope } = envelopeBy(key)
  const document = serializeEnvelope(envelope)
  const signature = envelope.signatures[0]?.sig as Uint8Array

  it('is of its signature in a bundle, and of the stored document as well in the legacy layout', async () => {
    expect(await codeOf([stamp(signature)], required, { kind: 'dsse', envelope })).toBe('verified')
    expect(await codeOf([stamp(document)], required, { kind: 'dsse', envelope })).toBe('timestamp_invalid')
    expect(await codeOf([stamp(document)], required, { kind: 'dsse', envelope, document })).toBe('verified')
    expect(await codeOf([stamp(signature)], required, { kind: 'dsse', envelope, document })).toBe('verified')
  })

  it('cannot be of another document: dsse_malformed', async () => {
    const other = serializeEnvelope(envelopeBy(key).envelope)
    expect(await codeOf([stamp(other)], required, { kind: 'dsse', envelope, document: other })).toBe('dsse_malformed')
  })
})
