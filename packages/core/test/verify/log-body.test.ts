import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { bytesToBase64 } from '../../src/base64.ts'
import type { TransparencyLogEntry } from '../../src/bundle/model.ts'
import { bytesToHex, utf8 } from '../../src/bytes.ts'
import { serializeEnvelope } from '../../src/dsse/envelope.ts'
import { canonicalJson } from '../../src/json/canonical.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import type { LogInstance } from '../../src/trust/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import { entryTimestampHolds } from '../../src/verify/log-v1.ts'
import { verifyEntity } from '../../src/verify/verify.ts'
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
  signWith,
  verified,
  type TestLog,
} from './forge.ts'

type Body = Readonly<Record<string, JsonValue>>
type Proof = NonNullable<TransparencyLogEntry['inclusionProof']>

const key = newTestKey()
const message = messageBy(key)
const content = envelopeBy(key)
const { payload, payloadType } = content.envelope
const sig = content.envelope.signatures[0]?.sig as Uint8Array
const v1 = await newTestLog()
const v2 = await newTestLog(2, 'log2026.example')
const bodyV1 = hashedrekordV1(message.signature, key, artifactBytes)
const bodyV2 = hashedrekordV2(message.signature, key, artifactBytes)

const hashed = (bytes: Uint8Array, algorithm: 'sha256' | 'sha384' | 'sha512' = 'sha256'): JsonValue => ({
  algorithm,
  value: digestOf(bytes, algorithm).slice(7),
})
const inner = (bytes: Uint8Array): string => bytesToBase64(utf8(bytesToBase64(bytes)))

const uploaded = {
  'with an empty keyid': utf8(
    JSON.stringify({ payloadType, payload: bytesToBase64(payload), signatures: [{ keyid: '', sig: bytesToBase64(sig) }] }),
  ),
  'without keyid': utf8(JSON.stringify({ payloadType, payload: bytesToBase64(payload), signatures: [{ sig: bytesToBase64(sig) }] })),
  'as cosign 3 stores it': serializeEnvelope(content.envelope),
}

type Choice = {
  readonly kind?: string
  readonly version?: string
  readonly signatures?: readonly JsonValue[]
  readonly envelopeHash?: JsonValue
  readonly payloadHash?: JsonValue
  readonly stored?: string
}
const signedIntoto: JsonValue = { sig: inner(sig), publicKey: pemBase64(key) }
const signedDsse: JsonValue = { signature: bytesToBase64(sig), verifier: pemBase64(key) }

function dsse({ kind, version, signatures, envelopeHash, payloadHash }: Choice = {}): Body {
  return {
    apiVersion: version ?? '0.0.1',
    kind: kind ?? 'dsse',
    spec: {
      envelopeHash: envelopeHash ?? hashed(uploaded['without keyid']),
      payloadHash: payloadHash ?? hashed(payload),
      signatures: signatures ?? [signedDsse],
    },
  }
}

function intoto({ kind, version, signatures, stored, payloadHash }: Choice = {}): Body {
  const envelope = { payloadType, signatures: signatures ?? [signedIntoto], ...(stored === undefined ? {} : { payload: stored }) }
  const hash = hashed(uploaded['without keyid'])
  return {
    apiVersion: version ?? '0.0.2',
    kind: kind ?? 'intoto',
    spec: { content: { envelope, hash, payloadHash: payloadHash ?? hashed(payload) } },
  }
}

function intotoV001({ kind, version, envelopeHash, payloadHash }: Choice = {}): Body {
  const hash = envelopeHash ?? hashed(uploaded['without keyid'])
  return {
    apiVersion: version ?? '0.0.1',
    kind: kind ?? 'intoto',
    spec: { content: { hash, ...(payloadHash === undefined ? {} : { payloadHash }) }, publicKey: pemBase64(key) },
  }
}

async function verifyIn(
  entries: readonly TransparencyLogEntry[],
  logs: readonly LogInstance[] = [v1.instance, v2.instance],
  signed: typeof content | typeof message = message,
): Promise<Verification> {
  const policy = policyOf(keysOf(key), { log: { kind: 'required' } })
  return verified({ ...entityOf(signed), logEntries: entries }, policy, { trustedRoot: rootOf({ logs }) })
}
const verifyEnvelope = (body: Body, log: TestLog = v1): Promise<Verification> => verifyIn([logBody(log, body)], undefined, content)
const mismatch = { ok: false, code: 'log_entry_mismatch' }

describe('the oldest entries of envelopes', () => {
  it.each(Object.entries(uploaded))('hold by the hash of the envelope %s', async (_form, bytes) => {
    for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
      expect(await verifyEnvelope(intotoV001({ envelopeHash: hashed(bytes, algorithm) }))).toMatchObject({ ok: true })
    }
  })

  it('may record the hash of the payload too, and then it must be ours', async () => {
    expect(await verifyEnvelope(intotoV001({ payloadHash: hashed(payload) }))).toMatchObject({ ok: true })
    expect(await verifyEnvelope(intotoV001({ payloadHash: hashed(artifactBytes) }))).toMatchObject({
      ...mismatch,
      detail: '$.spec.content.payloadHash.value: the log entry is for another payload',
    })
  })

  it('of another envelope are told as the first form that was tried', async () => {
    expect(await verifyEnvelope(intotoV001({ envelopeHash: hashed(artifactBytes) }))).toMatchObject({
      ...mismatch,
      detail: '$.spec.content.hash.value: the log entry is for another envelope',
      expected: digestOf(uploaded['with an empty keyid']).slice(7),
      found: digestOf(artifactBytes).slice(7),
    })
  })
})

describe('attack: an entry of an unknown type with the body of a known one', () => {
  it.each([
    ['dsse 0.0.9', dsse({ version: '0.0.9' })],
    ['rekord 0.0.1', dsse({ kind: 'rekord' })],
    ['intoto 0.0.3', intoto({ version: '0.0.3' })],
    ['intoto 0.0.3', intotoV001({ version: '0.0.3' })],
    ['rekord 0.0.1', intotoV001({ kind: 'rekord' })],
    [`${'k'.repeat(30)} ${'9'.repeat(80)}`, intoto({ kind: 'k'.repeat(30), version: '9'.repeat(80) })],
  ])('as %s is log_entry_mismatch, and says so', async (named, body) => {
    expect(await verifyEnvelope(body)).toMatchObject({
      ...mismatch,
      detail: 'a log entry of a type that is not supported',
      expected: 'hashedrekord, dsse or intoto',
      found: named.slice(0, 100),
    })
  })

  it.each([
    ['kind', { kind: 'rekord' }],
    ['version', { apiVersion: '0.0.9' }],
  ])('that the entry outside calls by the name of the known one, by its %s', async (_what, change) => {
    const entry = { ...logBody(v1, { ...bodyV1, ...change }), kind: 'hashedrekord', version: '0.0.1' }
    expect(await verifyIn([entry])).toMatchObject({
      ...mismatch,
      detail: '$.kind: the body is of another type than the entry says',
      expected: 'hashedrekord 0.0.1',
    })
  })
})

describe('the body of an entry for an envelope', () => {
  it.each([
    ['dsse', dsse({ signatures: [] }), '$.spec.signatures'],
    ['dsse', dsse({ signatures: [signedDsse, signedDsse] }), '$.spec.signatures'],
    ['intoto', intoto({ signatures: [] }), '$.spec.content.envelope.signatures'],
    ['intoto', intoto({ signatures: [signedIntoto, signedIntoto] }), '$.spec.content.envelope.signatures'],
  ])('of type %s has exactly one signature (%#)', async (_kind, body, path) => {
    expect(await verifyEnvelope(body)).toMatchObject({ ...mismatch, detail: `${path}: expected exactly one signature` })
  })

  it('of the second generation too', async () => {
    const payloadHash = { algorithm: 'SHA2_256', digest: bytesToBase64(artifactBytes) }
    for (const signatures of [[], [null, null]]) {
      const body = { apiVersion: '0.0.2', kind: 'dsse', spec: { dsseV002: { payloadHash, signatures } } }
      expect(await verifyEnvelope(body, v2)).toMatchObject({
        ...mismatch,
        detail: '$.spec.dsseV002.signatures: expected exactly one signature',
      })
    }
  })

  it('names a hash of the envelope that is supported, whatever its value: nobody has what it is over', async () => {
    for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
      expect(await verifyEnvelope(dsse({ envelopeHash: hashed(artifactBytes, algorithm) }))).toMatchObject({ ok: true })
    }
    expect(await verifyEnvelope(dsse({ envelopeHash: { algorithm: 'sha1', value: '0' } }))).toMatchObject({ ...mismatch, found: 'sha1' })
  })

  it('may name the hash of the payload in any of the supported functions', async () => {
    for (const algorithm of ['sha384', 'sha512'] as const) {
      expect(await verifyEnvelope(dsse({ payloadHash: hashed(payload, algorithm) }))).toMatchObject({ ok: true })
      expect(await verifyEnvelope(intoto({ payloadHash: hashed(payload, algorithm) }))).toMatchObject({ ok: true })
    }
  })

  it('may carry a keyid, which says nothing', async () => {
    expect(await verifyEnvelope(intoto({ signatures: [{ ...(signedIntoto as object), keyid: 'anything' }] }))).toMatchObject({ ok: true })
  })

  it.each([
    ['a signature', intoto({ signatures: [{ sig: bytesToBase64(Uint8Array.of(255)), publicKey: pemBase64(key) }] }), 'signatures[0].sig'],
    ['a payload', intoto({ stored: bytesToBase64(Uint8Array.of(255)) }), 'payload'],
  ])('encodes %s twice: once is log_entry_mismatch, and names the place', async (_what, body, path) => {
    const result = await verifyEnvelope(body)
    expect(result).toMatchObject(mismatch)
    expect(result.ok ? '' : result.detail).toMatch(new RegExp(`^\\$\\.spec\\.content\\.envelope\\.${path.replaceAll(/[[\].]/g, '\\$&')}: `))
  })

  it.each([
    ['signature', intoto({ signatures: [{ sig: inner(message.signature), publicKey: pemBase64(key) }] })],
    ['payload', intoto({ stored: inner(artifactBytes) })],
    ['payload', intoto({ payloadHash: hashed(artifactBytes) })],
    ['signature', dsse({ signatures: [{ signature: bytesToBase64(message.signature), verifier: pemBase64(key) }] })],
    ['payload', dsse({ payloadHash: hashed(artifactBytes) })],
    ['signer', dsse({ signatures: [{ signature: bytesToBase64(sig), verifier: pemBase64(newTestKey()) }] })],
  ])('for another %s says so (%#)', async (what, body) => {
    const result = await verifyEnvelope(body)
    expect(result).toMatchObject(mismatch)
    expect(result.ok ? '' : result.detail).toMatch(new RegExp(`: the log entry is for another ${what}$`))
  })

  it.each([
    ['no PEM at all', 'nothing', undefined],
    ['another PEM', '-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n', 'RSA PUBLIC KEY'],
    ['a broken PEM', '-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n', undefined],
    ['an empty text', ' ', undefined],
  ])('whose signer is %s is log_entry_mismatch', async (_what, pem, label) => {
    const verifier = bytesToBase64(utf8(pem))
    const result = await verifyEnvelope(dsse({ signatures: [{ signature: bytesToBase64(sig), verifier }] }))
    expect(result).toMatchObject({ ...mismatch, ...(label === undefined ? {} : { expected: 'PUBLIC KEY', found: label }) })
    expect(result.ok ? '' : result.detail).toContain('$.spec.signatures[0].verifier')
  })

  it('that is longer than any hash is repeated up to 128 characters', async () => {
    const payloadHash = { algorithm: 'sha256', value: 'z'.repeat(300) }
    expect(await verifyEnvelope(dsse({ payloadHash }))).toMatchObject({ found: 'z'.repeat(128), expected: digestOf(payload).slice(7) })
  })
})

describe('an entry of the second generation', () => {
  it.each([
    ['ec-p384', 'sha384', 'SHA2_384', 'PKIX_ECDSA_P384_SHA_384'],
    ['ec-p521', 'sha512', 'SHA2_512', 'PKIX_ECDSA_P521_SHA_512'],
  ] as const)('of a key of type %s records the hash that this key signs', async (type, algorithm, hashName, keyDetails) => {
    const signer = newTestKey(type)
    const signed = messageBy(signer)
    const body = (name: string, details: string): Body => ({
      apiVersion: '0.0.2',
      kind: 'hashedrekord',
      spec: {
        hashedRekordV002: {
          data: { algorithm: name, digest: bytesToBase64(hexBytes(digestOf(artifactBytes, algorithm).slice(7))) },
          signature: {
            content: bytesToBase64(signed.signature),
            verifier: { keyDetails: details, publicKey: { rawBytes: bytesToBase64(signer.publicKey.spki) } },
          },
        },
      },
    })
    const outcome = async (name: string, details: string): Promise<Verification> =>
      verified({ ...entityOf(signed), logEntries: [logBody(v2, body(name, details))] }, policyOf(keysOf(signer)), {
        trustedRoot: rootOf({ logs: [v2.instance] }),
      })
    expect(await outcome(hashName, keyDetails)).toMatchObject({ ok: true, evidence: { algorithm: keyDetails } })
    expect(await outcome('SHA2_256', keyDetails)).toMatchObject({ ...mismatch, expected: algorithm, found: 'sha256' })
    for (const other of ['PKIX_ECDSA_P256_SHA_256', 'PKIX_ED25519', 'PKIX_RSA_PKCS1V15_2048_SHA256']) {
      expect(await outcome(hashName, other)).toMatchObject({ ...mismatch, expected: keyDetails, found: other })
    }
  })

  it('attack: names an algorithm with the same hash for a key of another type', async () => {
    for (const details of ['PKIX_ECDSA_P384_SHA_256', 'PKIX_RSA_PSS_2048_SHA256', 'PKIX_RSA_PKCS1V15_2048_SHA256', 'x'.repeat(200)]) {
      const body = JSON.parse(JSON.stringify(bodyV2).replace('PKIX_ECDSA_P256_SHA_256', details)) as Body
      expect(await verifyIn([logBody(v2, body)])).toMatchObject({
        ...mismatch,
        expected: 'PKIX_ECDSA_P256_SHA_256',
        found: details.slice(0, 80),
      })
    }
  })
})

describe('a promise of a log', () => {
  const holds = (entry: TransparencyLogEntry, log: LogInstance = v1.instance): Promise<boolean> =>
    entryTimestampHolds(entry, log, nodePrimitives)

  it('holds by an ECDSA P-256 log alone: no other ever made one', async () => {
    const posing: TestLog = { ...v2, version: 1 }
    const entry = logBody(posing, bodyV1, { promise: true, proof: false })
    expect(await verifyIn([entry])).toMatchObject({ ok: false, code: 'signed_entry_timestamp_invalid' })
    const unnamed = { ...v1.instance, algorithm: 'PKIX_ECDSA_P256_SHA_512' } as const
    expect(await verifyIn([logBody(v1, bodyV1)], [unnamed])).toMatchObject({ ok: false, code: 'signed_entry_timestamp_invalid' })
  })

  it('attack: over no time at all, or none that is there, is none', async () => {
    const { integratedTime: _time, ...timeless } = logBody(v1, bodyV1)
    const body = bytesToBase64(timeless.canonicalizedBody)
    const signedEntryTimestamp = signWith(v1.key, canonicalJson({ body, logID: bytesToHex(v1.instance.logId), logIndex: 0 }))
    expect(await holds({ ...timeless, signedEntryTimestamp })).toBe(false)
    const { signedEntryTimestamp: _promise, ...unpromised } = logBody(v1, bodyV1)
    expect(await holds(unpromised)).toBe(false)
    expect(await holds(logBody(v1, bodyV1))).toBe(true)
  })

  it('for a time beyond all times is signed_entry_timestamp_invalid', async () => {
    const entry = logBody(v1, bodyV1, { integratedTimeMs: 1e16 })
    expect(await verifyIn([entry])).toMatchObject({ code: 'signed_entry_timestamp_invalid', detail: 'the integrated time is no time' })
  })
})

describe('a proof of inclusion', () => {
  const changed = (change: Partial<Proof>): TransparencyLogEntry => {
    const entry = logBody(v1, bodyV1, { second: true, promise: false, logIndex: 1 })
    return { ...entry, inclusionProof: { ...(entry.inclusionProof as Proof), ...change } }
  }

  it('holds by the right hashes, and attack: by others leads to a root that the log never signed', async () => {
    expect(await verifyIn([changed({})])).toMatchObject({ ok: true, evidence: { log: [{ logIndex: 1, proof: ['inclusion_proof'] }] } })
    expect(await verifyIn([changed({ hashes: [new Uint8Array(32)] })])).toMatchObject({
      ok: false,
      code: 'inclusion_proof_invalid',
      detail: 'the inclusion proof does not lead from the log entry to the root that the log signed',
    })
    expect(await verifyIn([changed({ logIndex: 0 })])).toMatchObject({ ok: false, code: 'inclusion_proof_invalid' })
  })

  it('that belongs to no tree says what is wrong with it', async () => {
    for (const hashes of [[], [new Uint8Array(32), new Uint8Array(32)]]) {
      expect(await verifyIn([changed({ hashes })])).toMatchObject({ ok: false, code: 'inclusion_proof_invalid' })
    }
  })

  it('is not refused but passed on when the platform fails, at whichever hash', async () => {
    const entity = { ...entityOf(message), logEntries: [changed({})] }
    const cause = new TypeError('the platform is broken')
    const trustedRoot = rootOf({ logs: [v1.instance] })
    const artifact = { kind: 'digest', digests: [digestOf(artifactBytes)] } as const
    const failingAfter = async (hashes: number): Promise<Verification> => {
      let left = hashes
      const hash: typeof nodePrimitives.hash = async (...parts) => (left-- > 0 ? nodePrimitives.hash(...parts) : Promise.reject(cause))
      return verifyEntity({ entity, policy: policyOf(keysOf(key)), nowMs, primitives: { ...nodePrimitives, hash }, trustedRoot, artifact })
    }
    let hashes = 0
    while (hashes < 100 && (await failingAfter(hashes).catch((thrown: unknown) => thrown)) === cause) hashes += 1
    // Leaf and root at least.
    expect(hashes).toBeGreaterThanOrEqual(2)
    expect(await failingAfter(hashes)).toMatchObject({ ok: true })
  })

  it('with the tree head of another generation repeats what kind was needed, and which was there', async () => {
    expect(await verifyIn([logBody(v1, bodyV1, { origin: v1.name, promise: false })])).toMatchObject({
      code: 'checkpoint_invalid',
      expected: 'name and tree of a Rekor v1 log',
      found: v1.name,
    })
    expect(await verifyIn([logBody(v2, bodyV2, { origin: `${v2.name} - 42` })])).toMatchObject({
      code: 'checkpoint_invalid',
      expected: 'the name of a Rekor v2 log',
      found: `${v2.name} - 42`,
    })
  })

  it('with the tree head of another log says whose was needed, and whose it is', async () => {
    expect(await verifyIn([logBody(v2, bodyV2, { origin: 'other.example' })])).toMatchObject({
      code: 'checkpoint_invalid',
      detail: 'checkpoint: the checkpoint is of another log',
      expected: v2.name,
      found: 'other.example',
    })
    const { inclusionProof, ...entry } = logBody(v2, bodyV2)
    const { checkpoint = '', ...proof } = inclusionProof as Proof
    const witnessed = { ...proof, checkpoint: checkpoint.replace(`— ${v2.name} `, '— witness.example ') }
    expect(await verifyIn([{ ...entry, inclusionProof: witnessed }])).toMatchObject({
      code: 'checkpoint_invalid',
      detail: 'checkpoint: no signature line names the key of the log',
      expected: v2.name,
      found: 'witness.example',
    })
  })

  it('with the tree head of another tree says root and size of both, and repeats no more of a root than a hash is long', async () => {
    const { rootHash } = changed({}).inclusionProof as Proof
    const tree = `${bytesToHex(rootHash)}, size 2`
    expect(await verifyIn([changed({ treeSize: 3 })])).toMatchObject({
      code: 'checkpoint_invalid',
      expected: tree,
      found: `${bytesToHex(rootHash)}, size 3`,
    })
    expect(await verifyIn([changed({ rootHash: new Uint8Array(1000) })])).toMatchObject({
      code: 'checkpoint_invalid',
      expected: tree,
      found: `${'0'.repeat(128)}, size 2`,
    })
  })

  it('repeats no more of the origin of a tree head than its name may be long', async () => {
    const long = await newTestLog(2, `${'n'.repeat(247)}.example`)
    const entry = logBody(long, bodyV2, { origin: `${long.name} - 42` })
    expect(await verifyIn([entry], [long.instance])).toMatchObject({ code: 'checkpoint_invalid', found: long.name })
  })

  it('with the tree head of another log is refused with what the note says of itself', async () => {
    const other = await newTestLog(1, 'other.example')
    const forged = { ...other, instance: { ...other.instance, logId: v1.instance.logId } }
    const result = await verifyIn([logBody(forged, bodyV1, { promise: false })])
    expect(result).toMatchObject({ ok: false, code: 'checkpoint_invalid' })
  })
})

describe('logs of the trusted root', () => {
  it('that are unknown are all named by their identifiers, each cut', async () => {
    const foreign = [await newTestLog(1, 'a.example'), await newTestLog(1, 'b.example')] as const
    const entries = foreign.map((log) => logBody(log, bodyV1))
    expect(await verifyIn(entries)).toMatchObject({
      code: 'log_untrusted',
      expected: `${v1.instance.baseUrl}, ${v2.instance.baseUrl}`,
      found: foreign.map(({ instance }) => bytesToHex(instance.logId)).join(', '),
    })
    expect(await verifyIn([{ ...logBody(v1, bodyV1), logId: new Uint8Array(100) }])).toMatchObject({ found: '0'.repeat(128) })
    expect(await verifyIn([])).toMatchObject({ code: 'log_entry_missing', expected: `${v1.instance.baseUrl}, ${v2.instance.baseUrl}` })
  })

  it('attack: another key under the same identifier does not keep a log in use that has ended', async () => {
    const ended = { ...v2.instance, validFor: { start: 0, end: signedAtMs - 1 } }
    const other = { ...v2.instance, publicKey: newTestKey('ed25519').publicKey, validFor: { start: signedAtMs } }
    const entries = [logBody(v1, bodyV1), logBody(v2, bodyV2)]
    expect(await verifyIn(entries, [v1.instance, ended, other])).toMatchObject({
      code: 'log_untrusted',
      expected: '1970-01-01T00:00:00Z to 2026-05-31T23:59:59.999Z',
      found: '2026-06-01T00:00:00Z',
    })
    expect(await verifyIn(entries, [v1.instance, ended, { ...ended, validFor: { start: signedAtMs } }])).toMatchObject({ ok: true })
  })

  it('were in use when one of several trusted times lies in their time, and else all times are told', async () => {
    const early = await newTestLog(1, 'early.example')
    const entries = [logBody(v1, bodyV1), logBody(early, bodyV1, { integratedTimeMs: signedAtMs - 5000 }), logBody(v2, bodyV2)]
    const logs = (start: number): LogInstance[] => [v1.instance, early.instance, { ...v2.instance, validFor: { start } }]
    expect(await verifyIn(entries, logs(signedAtMs))).toMatchObject({ ok: true })
    expect(await verifyIn(entries, logs(signedAtMs + 1))).toMatchObject({
      code: 'log_untrusted',
      found: '2026-06-01T00:00:00Z, 2026-05-31T23:59:55Z',
    })
  })
})

function hexBytes(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
