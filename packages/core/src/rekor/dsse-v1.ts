/** `dsse` 0.0.1: an envelope, of which the log keeps hashes, signatures and signers. */
import { base64ToBytes, bytesToBase64 } from '../base64.ts'
import { bytesToHex, utf8 } from '../bytes.ts'
import { type DsseEnvelope, inTotoPayloadType, preAuthEncoding } from '../dsse/envelope.ts'
import { CountersignError } from '../failure.ts'
import { canonicalJson } from '../json/canonical.ts'
import { parseJson, type JsonValue } from '../json/parse.ts'
import { base64Bytes, documentPlace, items, nonEmptyText, openMembers, refuse, text, type Place } from '../json/shape.ts'
import { candidateAlgorithms } from '../keys/algorithm.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { type PemSigner, readPemSigner } from './pem-signer.ts'
import type { ProposedEntryV1, SignatureClaim } from './proposal-v1.ts'

const maxSignatures = 8
const maxStatementDigests = 64

/** Reads the `spec`. Every signature must be of the verifier at the same place. Fails with the code of the place. */
export function readDsseV1(primitives: SyncHash, spec: Place): Omit<ProposedEntryV1, 'kind'> {
  const proposed = openMembers(openMembers(spec)('proposedContent'))
  const document = nonEmptyText(proposed('envelope'))
  const envelope = readEnvelope(proposed('envelope'), document)
  const signers = items(proposed('verifiers'), maxSignatures).map((item) => readPemSigner(item, base64Bytes(item)))
  const claims = claimsOf(proposed('verifiers'), envelope, signers)
  const hash = (bytes: Uint8Array): { readonly algorithm: 'sha256'; readonly value: string } => ({
    algorithm: 'sha256',
    value: bytesToHex(primitives.hash('sha256', bytes)),
  })
  const signatures = claims
    .map(({ signature }, index) => ({
      signature: bytesToBase64(signature),
      verifier: bytesToBase64((signers[index] as PemSigner).canonical),
    }))
    .toSorted((a, b) => (a.signature < b.signature ? -1 : 1))
  const body = canonicalJson({
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: { envelopeHash: hash(utf8(document)), payloadHash: hash(envelope.payload), signatures },
  })
  return { body, claims, statementDigests: statementDigests(envelope) }
}

/** An envelope as logs take it: any number of signatures, `keyid` ignored. */
export function readEnvelope(at: Place, document: string): DsseEnvelope {
  try {
    const field = openMembers(documentPlace(parseJson(document), at.code))
    return {
      payloadType: nonEmptyText(field('payloadType')),
      payload: base64ToBytes(text(field('payload'))),
      signatures: items(field('signatures'), maxSignatures).map((item) => ({ sig: base64Bytes(openMembers(item)('sig')) })),
    }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError(at.code, `${at.path}: not a DSSE envelope: ${cause.message}`, { cause })
  }
}

/** One claim for each signature, by the signer of the same place. */
export function claimsOf(at: Place, envelope: DsseEnvelope, signers: readonly PemSigner[]): ProposedEntryV1['claims'] {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload)
  if (signers.length !== envelope.signatures.length) {
    refuse(at, 'not one verifier for each signature', { expected: String(envelope.signatures.length), found: String(signers.length) })
  }
  const [first, ...rest] = envelope.signatures.map(({ sig }, index): SignatureClaim => {
    const { signer } = signers[index] as PemSigner
    return { signer, signature: sig, algorithms: candidateAlgorithms(signer.key, 'dsse'), over: { kind: 'message', message } }
  })
  return first === undefined ? refuse(at, 'no signature') : [first, ...rest]
}

/** Digests of subjects and materials of an in-toto statement, for search alone: what does not parse names none. */
export function statementDigests({ payloadType, payload }: DsseEnvelope): readonly string[] {
  if (payloadType !== inTotoPayloadType) return []
  let statement: JsonValue
  try {
    statement = parseJson(payload, { maxBytes: 16 * 1024 * 1024 })
  } catch (failure) {
    if (failure instanceof CountersignError) return []
    throw failure
  }
  const digests = [...listed(statement, 'subject'), ...listed(member(statement, 'predicate'), 'materials')].flatMap((item) => {
    const digest = member(item, 'digest')
    if (typeof digest !== 'object' || digest === null || Array.isArray(digest)) return []
    return Object.entries(digest).flatMap(([algorithm, value]) => (isDigest(algorithm, value) ? [`${algorithm}:${value}`] : []))
  })
  return [...new Set(digests)].slice(0, maxStatementDigests)
}

/** Hostile: under `https` and `//…` a statement would be found as if it were by whoever has that name. */
function isDigest(algorithm: string, value: unknown): value is string {
  return /^[A-Za-z0-9_-]{1,20}$/.test(algorithm) && typeof value === 'string' && /^[A-Za-z0-9+/=_-]{1,180}$/.test(value)
}

function listed(value: JsonValue | undefined, name: string): readonly JsonValue[] {
  const found = member(value, name)
  return Array.isArray(found) ? found.slice(0, maxStatementDigests) : []
}

function member(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, name) ? (value as { readonly [key: string]: JsonValue })[name] : undefined
}
