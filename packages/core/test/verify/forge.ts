/** A signer, a Rekor log of both generations and everything between, in memory: what no recorded bundle shows is made here. */
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { ed25519ph } from '@noble/curves/ed25519.js'
import { bytesToBase64 } from '../../src/base64.ts'
import { bytesToHex, concatBytes, utf8 } from '../../src/bytes.ts'
import type { SignedEntity, TransparencyLogEntry, VerificationMaterial } from '../../src/bundle/model.ts'
import { digestFromBytes, type Digest, type HashAlgorithm } from '../../src/digest.ts'
import { inTotoPayloadType, preAuthEncoding } from '../../src/dsse/envelope.ts'
import { canonicalJson } from '../../src/json/canonical.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { defaultAlgorithm } from '../../src/keys/algorithm.ts'
import { encodePublicKeyPem, keyHint, parsePublicKey, type PublicKey } from '../../src/keys/public-key.ts'
import { noteKeyId } from '../../src/note/key-id.ts'
import { encodePem } from '../../src/pem.ts'
import type { LogInstance, TimeRange, TrustedRoot } from '../../src/trust/model.ts'
import { createCertificateCache, type CertificateCache } from '../../src/verify/certificate-cache.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { SignerDemand, VerifyPolicy } from '../../src/verify/policy.ts'
import { verifyEntity, type VerifyRequest } from '../../src/verify/verify.ts'
import { expect } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { toldOf } from '../told.ts'

/** 2026-06-01, when everything here happens. */
export const signedAtMs: number = Date.UTC(2026, 5, 1)

/** When everything here is verified: a day later. */
export const nowMs: number = signedAtMs + 86_400_000

/** The artifact that everything here signs. */
export const artifactBytes: Uint8Array = utf8('the artifact\n')

/** A digest of bytes. */
export function digestOf(bytes: Uint8Array, algorithm: HashAlgorithm = 'sha256'): Digest {
  return digestFromBytes(algorithm, createHash(algorithm).update(bytes).digest()) as Digest
}

/** A key that signs. */
export type TestKey = { readonly publicKey: PublicKey; readonly privateKey: KeyObject }

/** The kinds of keys that sign here. */
export type TestKeyType = 'ec-p256' | 'ec-p384' | 'ec-p521' | 'rsa' | 'ed25519'

/** A fresh key. */
export function newTestKey(type: TestKeyType = 'ec-p256'): TestKey {
  const pair = newPair(type)
  return { privateKey: pair.privateKey, publicKey: parsePublicKey(pair.publicKey.export({ type: 'spki', format: 'der' })) }
}

function newPair(type: TestKeyType): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (type === 'ed25519') return generateKeyPairSync('ed25519')
  if (type === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: type.replace('ec-p', 'P-') })
}

/** Signs with the key's default algorithm, or with another hash. */
export function signWith(key: TestKey, message: Uint8Array, hash?: HashAlgorithm): Uint8Array {
  const algorithm = key.publicKey.type === 'ed25519' ? null : (hash ?? defaultAlgorithm(key.publicKey).hash)
  return sign(algorithm, message, key.privateKey)
}

/** Signs as RSA-PSS with SHA-256; the salt is as long as the hash unless a test wants another. */
export function signPss(key: TestKey, message: Uint8Array, saltLength = 32): Uint8Array {
  return sign('sha256', message, { key: key.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
}

/** Signs as Ed25519ph. */
export function signPrehashed(key: TestKey, message: Uint8Array): Uint8Array {
  const pkcs8 = key.privateKey.export({ type: 'pkcs8', format: 'der' })
  return ed25519ph.sign(message, pkcs8.subarray(-32))
}

/** A hint as cosign writes it. */
export async function hinted(key: TestKey): Promise<VerificationMaterial> {
  return { kind: 'public-key', hint: await keyHint(key.publicKey, nodePrimitives) }
}

/** An entity with neither log entry nor timestamp. */
export function entityOf(content: SignedEntity['content'], material: VerificationMaterial = { kind: 'public-key' }): SignedEntity {
  return { material, content, logEntries: [], timestamps: [] }
}

/** A message signature over the artifact. */
export function messageBy(key: TestKey, claimed = true): Extract<SignedEntity['content'], { kind: 'message' }> {
  const signature = signWith(key, artifactBytes)
  const { hash } = defaultAlgorithm(key.publicKey)
  return { kind: 'message', signature, ...(claimed ? { claimedDigest: digestOf(artifactBytes, hash) } : {}) }
}

/** Parts of a statement that a test may choose. */
export type StatementWishes = {
  readonly predicateType?: string
  readonly subject?: readonly object[]
  readonly payloadType?: string
}

/** A statement about the artifact; by default the signature of it. */
export function statementOf({ predicateType, subject }: StatementWishes = {}): Uint8Array {
  return utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: subject ?? [{ digest: { sha256: digestOf(artifactBytes).slice(7) }, annotations: { env: 'prod' } }],
      predicateType: predicateType ?? 'https://sigstore.dev/cosign/sign/v1',
      predicate: {},
    }),
  )
}

/** A signed envelope. */
export function envelopeBy(key: TestKey, wishes: StatementWishes = {}): Extract<SignedEntity['content'], { kind: 'dsse' }> {
  const payloadType = wishes.payloadType ?? inTotoPayloadType
  const payload = statementOf(wishes)
  return { kind: 'dsse', envelope: { payloadType, payload, signatures: [{ sig: signWith(key, preAuthEncoding(payloadType, payload)) }] } }
}

/** A signed simple-signing payload. */
export function simpleSigningBy(key: TestKey, digest: string, optional: JsonValue = null): SignedEntity['content'] {
  const critical = {
    identity: { 'docker-reference': 'registry.example/app' },
    image: { 'docker-manifest-digest': digest },
    type: 'cosign container image signature',
  }
  const payload = utf8(JSON.stringify({ critical, optional }))
  return { kind: 'simple-signing', payload, signature: signWith(key, payload) }
}

/** A log: its key and how a trusted root names it. */
export type TestLog = { readonly key: TestKey; readonly instance: LogInstance; readonly version: 1 | 2; readonly name: string }

/** A fresh log of the first or second generation. */
export async function newTestLog(
  version: 1 | 2 = 1,
  name = 'rekor.example',
  validFor: TimeRange = { start: Date.UTC(2026, 0, 1) },
): Promise<TestLog> {
  const key = newTestKey(version === 1 ? 'ec-p256' : 'ed25519')
  const logId = await noteKeyId(nodePrimitives, name, key.publicKey)
  const algorithm = version === 1 ? 'PKIX_ECDSA_P256_SHA_256' : 'PKIX_ED25519'
  const instance = { baseUrl: `https://${name}`, hashAlgorithm: 'sha256', publicKey: key.publicKey, algorithm, validFor, logId } as const
  return { key, instance, version, name }
}

/** What a test may choose about an entry. */
export type EntryWishes = {
  readonly logIndex?: number
  readonly integratedTimeMs?: number
  readonly promise?: boolean
  readonly proof?: boolean
  readonly origin?: string
  /** The entry is the second of the two in its shard; default: the only one. */
  readonly second?: boolean
}

/** Logs a body: the log of one leaf, its checkpoint, and for the first generation the promise. */
export function logBody(log: TestLog, body: { readonly [name: string]: JsonValue }, wishes: EntryWishes = {}): TransparencyLogEntry {
  const canonicalizedBody = canonicalJson(body)
  const logIndex = wishes.logIndex ?? 0
  const integratedTime = (wishes.integratedTimeMs ?? signedAtMs) / 1000
  const { logId } = log.instance
  const common = { logIndex, logId, kind: body['kind'] as string, version: body['apiVersion'] as string, canonicalizedBody }
  const promised = canonicalJson({ body: bytesToBase64(canonicalizedBody), integratedTime, logID: bytesToHex(logId), logIndex })
  const promise = wishes.promise ?? log.version === 1
  return {
    ...common,
    ...(promise ? { integratedTime, signedEntryTimestamp: signWith(log.key, promised) } : {}),
    ...(wishes.proof === false ? {} : { inclusionProof: proofOf(log, canonicalizedBody, wishes) }),
  }
}

function proofOf(
  log: TestLog,
  body: Uint8Array,
  { origin, logIndex, second }: EntryWishes,
): NonNullable<TransparencyLogEntry['inclusionProof']> {
  const leaf = sha256(Uint8Array.of(0), body)
  const hashes = second === true ? [new Uint8Array(32).fill(7)] : []
  const rootHash = second === true ? sha256(Uint8Array.of(1), ...hashes, leaf) : leaf
  const treeSize = hashes.length + 1
  const text = `${origin ?? (log.version === 1 ? `${log.name} - 42` : log.name)}\n${treeSize}\n${bytesToBase64(rootHash)}\n`
  const line = bytesToBase64(concatBytes(log.instance.logId.subarray(0, 4), signWith(log.key, utf8(text))))
  const checkpoint = `${text}\n— ${log.name} ${line}\n`
  return { logIndex: log.version === 1 ? hashes.length : (logIndex ?? 0), rootHash, treeSize, hashes, checkpoint }
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha256')
    .update(concatBytes(...parts))
    .digest()
}

/** Base64 of PEM, as Rekor v1 writes signers. */
export function pemBase64(key: TestKey | Uint8Array): string {
  return bytesToBase64(utf8(key instanceof Uint8Array ? encodePem('CERTIFICATE', key) : encodePublicKeyPem(key.publicKey)))
}

/** hashedrekord 0.0.1 of a signature over `signed`. */
export function hashedrekordV1(
  signature: Uint8Array,
  signer: TestKey | Uint8Array,
  signed: Uint8Array,
): { readonly [name: string]: JsonValue } {
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm: 'sha256', value: digestOf(signed).slice(7) } },
      signature: { content: bytesToBase64(signature), publicKey: { content: pemBase64(signer) } },
    },
  }
}

/** hashedrekord 0.0.2 of a signature over `signed`. */
export function hashedrekordV2(
  signature: Uint8Array,
  signer: TestKey | Uint8Array,
  signed: Uint8Array,
): { readonly [name: string]: JsonValue } {
  const hash = createHash('sha256').update(signed).digest()
  const named: JsonValue =
    signer instanceof Uint8Array
      ? { x509Certificate: { rawBytes: bytesToBase64(signer) } }
      : { publicKey: { rawBytes: bytesToBase64(signer.publicKey.spki) } }
  const verifier = { keyDetails: 'PKIX_ECDSA_P256_SHA_256', ...(named as object) } as JsonValue
  const data = { algorithm: 'SHA2_256', digest: bytesToBase64(hash) }
  return {
    apiVersion: '0.0.2',
    kind: 'hashedrekord',
    spec: { hashedRekordV002: { data, signature: { content: bytesToBase64(signature), verifier } } },
  }
}

/** A trusted root of the lists given. */
export function rootOf(parts: Partial<TrustedRoot>): TrustedRoot {
  return { logs: [], certificateAuthorities: [], ctLogs: [], timestampAuthorities: [], ...parts }
}

/** Trust in keys, nothing else demanded. */
export function policyOf(signer: SignerDemand, wishes: Partial<VerifyPolicy> = {}): VerifyPolicy {
  const notDemanded = { kind: 'not_demanded' } as const
  return {
    signer,
    content: { kind: 'signature' },
    log: notDemanded,
    sct: notDemanded,
    signedTimestamp: notDemanded,
    claims: { kind: 'required' },
    ...wishes,
  }
}

/** A demand for one of these keys. */
export function keysOf(...keys: readonly TestKey[]): SignerDemand {
  return { kind: 'keys', keys: keys.map(({ publicKey }, index) => ({ key: publicKey, label: `key ${index}` })) }
}

/** Has seen every certificate, log and forgery of all tests of a file. */
const seenEverything: CertificateCache = createCertificateCache({ maxEntries: 16 })

/**
 * Verifies an entity about the artifact, a day after it was signed; what is said of it must be what was recorded, and the same with a
 * cache that remembers all that was verified before.
 */
export async function verified(entity: SignedEntity, policy: VerifyPolicy, rest: Partial<VerifyRequest> = {}): Promise<Verification> {
  const artifact = { kind: 'bytes', bytes: artifactBytes } as const
  const request: VerifyRequest = { entity, artifact, policy, nowMs, primitives: nodePrimitives, ...rest }
  const result = await verifyEntity(request)
  for (const _time of request.artifact.kind === 'stream' ? [] : ['new', 'warm']) {
    expect(await verifyEntity({ ...request, certificateCache: seenEverything })).toEqual(result)
  }
  expect(toldOf(result)).toMatchSnapshot()
  return result
}
