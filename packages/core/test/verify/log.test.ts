import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import type { SignedEntity, TransparencyLogEntry } from '../../src/bundle/model.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { Demand } from '../../src/verify/policy.ts'
import { clockSkewMs } from '../../src/verify/time.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  hashedrekordV1,
  hashedrekordV2,
  keysOf,
  logBody,
  messageBy,
  newTestKey,
  newTestLog,
  nowMs,
  pemBase64,
  policyOf,
  rootOf,
  signedAtMs,
  verified,
  type EntryWishes,
  type TestLog,
} from './forge.ts'

const key = newTestKey()
const message = messageBy(key)
const v1 = await newTestLog()
const v2 = await newTestLog(2, 'log2026.example')
const trustedRoot = rootOf({ logs: [v1.instance, v2.instance] })
const required: Demand = { kind: 'required' }
const notDemanded: Demand = { kind: 'not_demanded' }
const bodyV1 = hashedrekordV1(message.signature, key, artifactBytes)
const bodyV2 = hashedrekordV2(message.signature, key, artifactBytes)

type Body = Readonly<Record<string, JsonValue>>

async function verifyWith(
  logEntries: readonly TransparencyLogEntry[],
  log: Demand = required,
  content: SignedEntity['content'] = message,
  root = trustedRoot,
): Promise<Verification> {
  return verified({ ...entityOf(content), logEntries }, policyOf(keysOf(key), { log }), { trustedRoot: root })
}

async function codeOf(...parameters: Parameters<typeof verifyWith>): Promise<string> {
  const result = await verifyWith(...parameters)
  return result.ok ? 'verified' : result.code
}

describe('a Rekor v1 entry', () => {
  it('proves promise, inclusion and checkpoint, and gives a trusted time', async () => {
    const result = await verifyWith([logBody(v1, bodyV1, { logIndex: 7 })])
    expect(result).toMatchObject({
      ok: true,
      evidence: {
        log: [
          {
            baseUrl: 'https://rekor.example',
            logIndex: 7,
            proof: ['signed_entry_timestamp', 'inclusion_proof'],
            integratedTimeMs: signedAtMs,
          },
        ],
        times: [{ source: 'log', timeMs: signedAtMs, authority: 'https://rekor.example' }],
      },
    })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toEqual([
      'content_type',
      'signature',
      'signed_entry_timestamp',
      'checkpoint',
      'inclusion_proof',
      'log_entry',
      'public_key',
      'artifact_digest',
    ])
  })

  it('with the promise alone, as cosign 2 stored it, proves no inclusion, and the evidence lists none', async () => {
    const result = await verifyWith([logBody(v1, bodyV1, { proof: false })])
    expect(result).toMatchObject({ ok: true, evidence: { log: [{ proof: ['signed_entry_timestamp'] }] } })
    const ran = result.ok ? result.evidence.checks.map(({ check }) => check) : []
    expect(ran).not.toContain('inclusion_proof')
    expect(ran).not.toContain('checkpoint')
  })

  it('with the proof alone gives no time: an integrated time counts only under a promise', async () => {
    const entry = { ...logBody(v1, bodyV1, { promise: false }), integratedTime: signedAtMs / 1000 }
    const result = await verifyWith([entry])
    expect(result).toMatchObject({ ok: true, evidence: { times: [], log: [{ proof: ['inclusion_proof'] }] } })
    expect(result.ok && result.evidence.log[0]).not.toHaveProperty('integratedTimeMs')
  })

  it('with the proof alone is listed by the index in its shard, which is all that the proof shows', async () => {
    const result = await verifyWith([logBody(v1, bodyV1, { promise: false, logIndex: 1_000_000 })])
    expect(result).toMatchObject({ ok: true, evidence: { log: [{ logIndex: 0 }] } })
  })

  it('has an index over all shards that is never smaller than the one in its shard, which the proof is for', async () => {
    expect(await codeOf([logBody(v1, bodyV1, { second: true, logIndex: 1 })])).toBe('verified')
    expect(await verifyWith([logBody(v1, bodyV1, { second: true, logIndex: 0 })])).toMatchObject({
      code: 'inclusion_proof_invalid',
      expected: '0',
      found: '1',
    })
  })

  it('with neither promise nor proof is inclusion_proof_invalid', async () => {
    expect(await codeOf([logBody(v1, bodyV1, { promise: false, proof: false })])).toBe('inclusion_proof_invalid')
  })

  it('with a root hash that no checkpoint signs proves nothing by it', async () => {
    const { inclusionProof, ...entry } = logBody(v1, bodyV1, { promise: false })
    const { checkpoint: _, ...unsigned } = inclusionProof as NonNullable<typeof inclusionProof>
    expect(await codeOf([{ ...entry, inclusionProof: unsigned }])).toBe('inclusion_proof_invalid')
  })

  it.each([
    ['the time', { integratedTime: signedAtMs / 1000 - 1 }],
    ['the index', { logIndex: 8 }],
    ['the promise', { signedEntryTimestamp: new Uint8Array(70) }],
  ])('whose promise is for something else is signed_entry_timestamp_invalid: %s was changed', async (_what, change) => {
    expect(await codeOf([{ ...logBody(v1, bodyV1), ...change }])).toBe('signed_entry_timestamp_invalid')
  })

  it('with a promise but without its time is signed_entry_timestamp_invalid', async () => {
    const { integratedTime: _, ...entry } = logBody(v1, bodyV1)
    expect(await codeOf([entry])).toBe('signed_entry_timestamp_invalid')
  })

  it('integrated in the future is refused, up to a minute of clock difference is not', async () => {
    expect(await codeOf([logBody(v1, bodyV1, { integratedTimeMs: nowMs + clockSkewMs })])).toBe('verified')
    expect(await codeOf([logBody(v1, bodyV1, { integratedTimeMs: nowMs + clockSkewMs + 1000 })])).toBe('signed_entry_timestamp_invalid')
  })

  it('integrated at a time that has no date is refused like any other that is to come', async () => {
    const integratedTimeMs = 8_700_000_000_000_000
    expect(await codeOf([logBody(v1, bodyV1, { integratedTimeMs })])).toBe('signed_entry_timestamp_invalid')
  })

  it.each([
    ['ends at the time', { start: 0, end: signedAtMs }, 'verified'],
    ['starts at the time', { start: signedAtMs }, 'verified'],
    ['ended before', { start: 0, end: signedAtMs - 1 }, 'log_untrusted'],
    ['starts after', { start: signedAtMs + 1 }, 'log_untrusted'],
  ])('by a log whose trust %s', async (_what, validFor, expected) => {
    const root = rootOf({ logs: [{ ...v1.instance, validFor }] })
    expect(await codeOf([logBody(v1, bodyV1)], required, message, root)).toBe(expected)
  })

  it('by a log that the trusted root lists for several times holds in any of them', async () => {
    const early = { ...v1.instance, validFor: { start: 0, end: 1000 } }
    expect(await codeOf([logBody(v1, bodyV1)], required, message, rootOf({ logs: [early, v1.instance] }))).toBe('verified')
  })

  it('whose proof is for an index beyond its own is inclusion_proof_invalid', async () => {
    const entry = logBody(v1, bodyV1, { promise: false })
    const inclusionProof = { ...(entry.inclusionProof as NonNullable<typeof entry.inclusionProof>), logIndex: 1 }
    expect(await codeOf([{ ...entry, inclusionProof }])).toBe('inclusion_proof_invalid')
  })

  it.each([
    ['a hash too many', { hashes: [new Uint8Array(32)] }, 'inclusion_proof_invalid'],
    ['a hash of 31 bytes', { hashes: [new Uint8Array(31)] }, 'inclusion_proof_invalid'],
    ['another size', { treeSize: 2 }, 'checkpoint_invalid'],
    ['another root', { rootHash: new Uint8Array(32) }, 'checkpoint_invalid'],
    ['no note', { checkpoint: 'nothing' }, 'checkpoint_invalid'],
  ])('whose proof has %s is refused', async (_what, change, expected) => {
    const entry = logBody(v1, bodyV1)
    const inclusionProof = { ...(entry.inclusionProof as NonNullable<typeof entry.inclusionProof>), ...change }
    expect(await codeOf([{ ...entry, inclusionProof }])).toBe(expected)
  })

  it('with the checkpoint of a v2 log is checkpoint_invalid: each generation has its own origin', async () => {
    expect(await codeOf([logBody(v1, bodyV1, { origin: v1.name })])).toBe('checkpoint_invalid')
  })
})

describe('a Rekor v2 entry', () => {
  it('proves inclusion and no time', async () => {
    const result = await verifyWith([logBody(v2, bodyV2)])
    expect(result).toMatchObject({ ok: true, evidence: { times: [], log: [{ proof: ['inclusion_proof'] }] } })
  })

  it('gives no time by an integrated time or a promise put beside it', async () => {
    const entry = { ...logBody(v2, bodyV2), integratedTime: signedAtMs / 1000, signedEntryTimestamp: new Uint8Array(70) }
    expect(await verifyWith([entry])).toMatchObject({ ok: true, evidence: { times: [], log: [{ proof: ['inclusion_proof'] }] } })
  })

  it('needs its proof: a promise does not stand in', async () => {
    const entry = { ...logBody(v2, bodyV2, { proof: false }), integratedTime: 1, signedEntryTimestamp: new Uint8Array(70) }
    expect(await codeOf([entry])).toBe('inclusion_proof_invalid')
  })

  it('whose two indices differ is inclusion_proof_invalid', async () => {
    expect(await codeOf([{ ...logBody(v2, bodyV2), logIndex: 1 }])).toBe('inclusion_proof_invalid')
  })

  it('with the checkpoint of a v1 log is checkpoint_invalid', async () => {
    expect(await codeOf([logBody(v2, bodyV2, { origin: `${v2.name} - 42` })])).toBe('checkpoint_invalid')
  })

  it('of a log that was no longer trusted when the signature was made is log_untrusted', async () => {
    const ended = rootOf({ logs: [v1.instance, { ...v2.instance, validFor: { start: 0, end: signedAtMs - 1 } }] })
    const timed = [logBody(v1, bodyV1), logBody(v2, bodyV2)]
    expect(await codeOf(timed, required, message, ended)).toBe('log_untrusted')
    expect(await codeOf(timed)).toBe('verified')
  })

  it('in a log of the first generation is refused, and the other way round', async () => {
    expect(await codeOf([logBody(v1, bodyV2)])).toBe('checkpoint_invalid')
    expect(await codeOf([logBody(v2, bodyV1)])).toBe('checkpoint_invalid')
  })

  it.each([
    ['a field more', { ...bodyV2, extra: 1 }],
    ['another hash name', replaced(bodyV2, 'SHA2_256', 'SHA2_512')],
    ['another algorithm', replaced(bodyV2, 'PKIX_ECDSA_P256_SHA_256', 'PKIX_ECDSA_P384_SHA_384')],
    ['an unknown algorithm', replaced(bodyV2, 'PKIX_ECDSA_P256_SHA_256', 'HOME_MADE')],
    ['another signature', hashedrekordV2(messageBy(key).signature, key, artifactBytes)],
    ['another key', hashedrekordV2(message.signature, newTestKey(), artifactBytes)],
    ['a certificate instead of the key', hashedrekordV2(message.signature, key.publicKey.spki, artifactBytes)],
    ['another artifact', hashedrekordV2(message.signature, key, utf8('another'))],
    ['an unknown type', { ...bodyV2, kind: 'rekord' }],
  ])('with %s in its body is log_entry_mismatch', async (_what, body) => {
    expect(await codeOf([logBody(v2, body)])).toBe('log_entry_mismatch')
  })

  it('whose body is not in canonical form is log_entry_mismatch, although every field is right', async () => {
    const canonicalizedBody = utf8(JSON.stringify(bodyV2, undefined, 1))
    expect(await codeOf([{ ...logBody(v2, bodyV2), canonicalizedBody }])).toBe('log_entry_mismatch')
  })
})

describe('the body of a v1 entry', () => {
  it.each([
    ['another signature by the same key', hashedrekordV1(messageBy(key).signature, key, artifactBytes)],
    ['another key', hashedrekordV1(message.signature, newTestKey(), artifactBytes)],
    ['a certificate instead of the key', hashedrekordV1(message.signature, key.publicKey.spki, artifactBytes)],
    ['another artifact', hashedrekordV1(message.signature, key, utf8('another'))],
    ['a field more', { ...bodyV1, extra: 1 }],
    ['an unknown hash', replaced(bodyV1, '"sha256"', '"sha1"')],
    ['an unknown type', { ...bodyV1, kind: 'rekord' }],
    ['an unknown version', { ...bodyV1, apiVersion: '0.0.9' }],
  ])('with %s is log_entry_mismatch', async (_what, body) => {
    expect(await codeOf([logBody(v1, body)])).toBe('log_entry_mismatch')
  })

  it('of another type than the entry says is log_entry_mismatch', async () => {
    expect(await codeOf([{ ...logBody(v1, bodyV1), kind: 'dsse' }])).toBe('log_entry_mismatch')
  })

  it.each(['', '{', '[]', '{"kind":"hashedrekord","kind":"dsse"}'])(
    'that is no object of three members is log_entry_mismatch: %j',
    async (text) => {
      expect(await codeOf([{ ...logBody(v1, bodyV1), canonicalizedBody: utf8(text) }])).toBe('log_entry_mismatch')
    },
  )
})

describe('entries for envelopes', () => {
  const content = envelopeBy(key)
  const { payload, payloadType } = content.envelope
  const sig = content.envelope.signatures[0]?.sig as Uint8Array
  const hashed = (bytes: Uint8Array): JsonValue => ({ algorithm: 'sha256', value: digestOf(bytes).slice(7) })
  const uploaded = utf8(
    JSON.stringify({ payloadType, payload: bytesToBase64(payload), signatures: [{ keyid: '', sig: bytesToBase64(sig) }] }),
  )
  const inner = (bytes: Uint8Array): string => bytesToBase64(utf8(bytesToBase64(bytes)))
  const dsse: Body = {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: {
      envelopeHash: hashed(uploaded),
      payloadHash: hashed(payload),
      signatures: [{ signature: bytesToBase64(sig), verifier: pemBase64(key) }],
    },
  }
  const intoto: Body = {
    apiVersion: '0.0.2',
    kind: 'intoto',
    spec: {
      content: {
        envelope: { payloadType, signatures: [{ sig: inner(sig), publicKey: pemBase64(key) }] },
        hash: hashed(uploaded),
        payloadHash: hashed(payload),
      },
    },
  }
  const intotoV001: Body = {
    apiVersion: '0.0.1',
    kind: 'intoto',
    spec: { content: { hash: hashed(uploaded), payloadHash: hashed(payload) }, publicKey: pemBase64(key) },
  }
  const payloadDigest = bytesToBase64(createHash('sha256').update(payload).digest())
  const verifier = { keyDetails: 'PKIX_ECDSA_P256_SHA_256', publicKey: { rawBytes: bytesToBase64(key.publicKey.spki) } }
  const dsseV2: Body = {
    apiVersion: '0.0.2',
    kind: 'dsse',
    spec: {
      dsseV002: {
        payloadHash: { algorithm: 'SHA2_256', digest: payloadDigest },
        signatures: [{ content: bytesToBase64(sig), verifier }],
      },
    },
  }
  const overEncoding = hashedrekordV2(sig, key, preAuthEncoding(payloadType, payload))
  const forms: readonly (readonly [string, TestLog, Body])[] = [
    ['dsse 0.0.1', v1, dsse],
    ['intoto 0.0.2', v1, intoto],
    ['intoto 0.0.1', v1, intotoV001],
    ['dsse 0.0.2', v2, dsseV2],
    ['hashedrekord 0.0.2 over the encoding', v2, overEncoding],
    ['hashedrekord 0.0.1 over the encoding', v1, hashedrekordV1(sig, key, preAuthEncoding(payloadType, payload))],
  ]

  it.each(forms)('%s holds', async (_form, log, body) => {
    expect(await codeOf([logBody(log, body)], required, content)).toBe('verified')
  })

  it.each(forms)('%s does not hold for another envelope by the same key with the same payload', async (_form, log, body) => {
    expect(await codeOf([logBody(log, body)], required, envelopeBy(key))).toBe('log_entry_mismatch')
  })

  it.each(forms)('%s does not hold for a message signature', async (_form, log, body) => {
    expect(await codeOf([logBody(log, body)])).toBe('log_entry_mismatch')
  })

  it.each([
    ['another payload', replaced(dsse, digestOf(payload).slice(7), '0'.repeat(64)), v1],
    ['another signer', replaced(dsse, pemBase64(key), pemBase64(newTestKey())), v1],
    ['two signatures', twice(dsse, 'signatures'), v1],
    ['another payload', replaced(intoto, digestOf(payload).slice(7), '0'.repeat(64)), v1],
    ['another payload type', replaced(intoto, payloadType, 'text/plain'), v1],
    ['another signer', replaced(intoto, pemBase64(key), pemBase64(newTestKey())), v1],
    ['another payload stored', replaced(intoto, '"payloadType"', `"payload":"${inner(utf8('x'))}","payloadType"`), v1],
    ['two signatures', twice(intoto, 'signatures'), v1],
    ['another envelope', replaced(intotoV001, digestOf(uploaded).slice(7), '0'.repeat(64)), v1],
    ['another signer', replaced(intotoV001, pemBase64(key), pemBase64(newTestKey())), v1],
    ['another payload', replaced(dsseV2, payloadDigest, bytesToBase64(new Uint8Array(32))), v2],
    ['two signatures', twice(dsseV2, 'signatures'), v2],
  ])('with %s are log_entry_mismatch (%#)', async (_what, body, log) => {
    expect(await codeOf([logBody(log, body)], required, content)).toBe('log_entry_mismatch')
  })

  it('may store the payload, if it is ours', async () => {
    const stored = replaced(intoto, '"payloadType"', `"payload":"${inner(payload)}","payloadType"`)
    expect(await codeOf([logBody(v1, stored)], required, content)).toBe('verified')
  })
})

describe('several entries', () => {
  const foreign = async (wishes: EntryWishes = {}): Promise<TransparencyLogEntry> =>
    logBody(await newTestLog(1, 'foreign.example'), bodyV1, wishes)
  const stolen = logBody(v1, hashedrekordV1(messageBy(key).signature, key, artifactBytes))

  it('must all hold: a good one does not make up for the entry of another signature', async () => {
    expect(await codeOf([logBody(v2, bodyV2), stolen])).toBe('log_entry_mismatch')
    expect(await codeOf([stolen, logBody(v2, bodyV2)])).toBe('log_entry_mismatch')
  })

  it('of unknown logs are neither counted nor listed', async () => {
    const result = await verifyWith([await foreign(), logBody(v1, bodyV1)])
    expect(result).toMatchObject({ ok: true, evidence: { log: [{ baseUrl: 'https://rekor.example' }] } })
    expect(result.ok && result.evidence.log).toHaveLength(1)
  })

  it('are at most 32', async () => {
    expect(await codeOf(Array.from({ length: 33 }, (_, logIndex) => logBody(v1, bodyV1, { logIndex })))).toBe('limit_exceeded')
  })
})

describe('a demanded entry', () => {
  it('that is missing is log_entry_missing', async () => {
    expect(await codeOf([])).toBe('log_entry_missing')
  })

  it('of an unknown log is log_untrusted', async () => {
    const foreign = await newTestLog(1, 'foreign.example')
    expect(await codeOf([logBody(foreign, bodyV1)])).toBe('log_untrusted')
  })

  it('with the identifier of a known log but by another key is signed_entry_timestamp_invalid', async () => {
    const foreign = await newTestLog(1, 'rekor.example')
    const posing = { ...foreign, instance: { ...foreign.instance, logId: v1.instance.logId } }
    expect(await codeOf([logBody(posing, bodyV1)])).toBe('signed_entry_timestamp_invalid')
    expect(await codeOf([logBody(posing, bodyV1, { promise: false })])).toBe('checkpoint_invalid')
  })

  it('is trust_missing when the trusted root names no log: an empty list waives nothing', async () => {
    expect(await codeOf([logBody(v1, bodyV1)], required, message, rootOf({}))).toBe('trust_missing')
    const policy = policyOf(keysOf(key), { log: required })
    expect(await verified({ ...entityOf(message), logEntries: [logBody(v1, bodyV1)] }, policy)).toMatchObject({
      ok: false,
      code: 'trust_missing',
    })
  })
})

describe('an entry that is not demanded of a key', () => {
  const bad = { ...logBody(v1, bodyV1), signedEntryTimestamp: new Uint8Array(70) }

  it('must hold all the same where its log is known', async () => {
    expect(await codeOf([bad], notDemanded)).toBe('signed_entry_timestamp_invalid')
    expect(await codeOf([logBody(v1, bodyV1)], notDemanded)).toBe('verified')
    expect(await codeOf([], notDemanded)).toBe('verified')
  })

  it('is not looked at without a trusted root, and the evidence claims nothing about it', async () => {
    const result = await verified({ ...entityOf(message), logEntries: [bad, logBody(v1, bodyV1)] }, policyOf(keysOf(key)))
    expect(result).toMatchObject({ ok: true, evidence: { log: [], times: [], waivers: [] } })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toEqual([
      'content_type',
      'signature',
      'public_key',
      'artifact_digest',
    ])
  })

  it('is not looked at when waived by name, which the evidence records', async () => {
    const waived: Demand = { kind: 'waived_UNSAFE', reason: '--insecure-ignore-tlog' }
    expect(await verifyWith([bad], waived)).toMatchObject({
      ok: true,
      evidence: { log: [], times: [], waivers: [{ check: 'log_entry', reason: '--insecure-ignore-tlog' }] },
    })
  })
})

describe('a demanded timestamp', () => {
  it.each([
    ['without a trusted root', undefined, 'trust_missing'],
    ['with a trusted root that names no authority', rootOf({ logs: [v1.instance] }), 'trust_missing'],
  ])('%s is %s', async (_what, root, expected) => {
    const policy = policyOf(keysOf(key), { signedTimestamp: required })
    const result = await verified(entityOf(message), policy, root === undefined ? {} : { trustedRoot: root })
    expect(result).toMatchObject({ ok: false, code: expected })
  })
})

function replaced(body: Body, text: string, by: string): Body {
  const changed = JSON.stringify(body).replace(text, by)
  return JSON.parse(changed) as Body
}

/** Repeats the only item of an array member, wherever it is. */
function twice(body: Body, member: string): Body {
  return JSON.parse(JSON.stringify(body), (name, value: unknown) =>
    name === member && Array.isArray(value) ? [...(value as unknown[]), ...(value as unknown[])] : value,
  ) as Body
}
