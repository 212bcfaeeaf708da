/** Rekor v2 entries: hashedrekord 0.0.2 and dsse 0.0.2 (sigstore/rekor-tiles, api/proto/rekor/v2; rekor-v2-spec §6.1). */
import { bytesToBase64 } from '../base64.ts'
import { equalBytes } from '../bytes.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { canonicalJson } from '../json/canonical.ts'
import type { JsonValue } from '../json/parse.ts'
import { base64Bytes, isAbsent, items, members, nonEmptyText, oneOf, refuse, type Place } from '../json/shape.ts'
import { algorithmByName, suits, type SignatureAlgorithm } from '../keys/algorithm.ts'
import type { Primitives } from '../primitives.ts'
import { demandEqual, mismatch, unknownKind, type LoggedSignature } from './logged-signature.ts'

const hashNames: Readonly<Record<HashAlgorithm, string>> = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' }

/**
 * Compares the body with the signature, then rebuilds it from the signature and demands the same bytes: a v2 log has one canonical body for
 * one signature. Refuses with `log_entry_mismatch`.
 */
export async function demandBodyV2(
  kind: string,
  version: string,
  spec: Place,
  canonicalizedBody: Uint8Array,
  logged: LoggedSignature,
  primitives: Primitives,
): Promise<void> {
  let rebuilt: JsonValue
  if (kind === 'hashedrekord')
    rebuilt = { hashedRekordV002: await rebuildHashedrekord(members(spec, ['hashedRekordV002'])('hashedRekordV002'), logged) }
  else if (kind === 'dsse') rebuilt = { dsseV002: await rebuildDsse(members(spec, ['dsseV002'])('dsseV002'), logged, primitives) }
  else throw unknownKind(kind, version)
  if (equalBytes(canonicalJson({ apiVersion: version, kind, spec: rebuilt }), canonicalizedBody)) return
  throw new CountersignError(mismatch, 'the log entry says more than, or something other than, what its type records of this signature')
}

/** DSSE is logged in this form too, as a hash over the pre-authentication encoding. */
async function rebuildHashedrekord(at: Place, logged: LoggedSignature): Promise<JsonValue> {
  const field = members(at, ['data', 'signature'])
  const signature = rebuildSignature(field('signature'), logged)
  const data = members(field('data'), ['algorithm', 'digest'])
  const algorithm = readHashName(data('algorithm'))
  // The algorithm's own hash, or else the log verified another signature than we did.
  if (algorithm !== logged.algorithm.hash) {
    refuse(data('algorithm'), 'the log entry is for another hash', { expected: logged.algorithm.hash, found: algorithm })
  }
  const digest = await logged.hash(algorithm)
  demandEqual(data('digest'), 'artifact', digest, base64Bytes(data('digest')))
  return { data: { algorithm: hashNames[algorithm], digest: bytesToBase64(digest) }, signature }
}

async function rebuildDsse(at: Place, logged: LoggedSignature, primitives: Primitives): Promise<JsonValue> {
  const { envelope } = logged
  if (envelope === undefined) return refuse(at, 'the log entry is for an envelope, the signature is not one')
  const field = members(at, ['payloadHash', 'signatures'])
  const [only, ...more] = items(field('signatures'), 32)
  if (only === undefined || more.length > 0) return refuse(field('signatures'), 'expected exactly one signature')
  const signature = rebuildSignature(only, logged)
  const payloadHash = members(field('payloadHash'), ['algorithm', 'digest'])
  const algorithm = readHashName(payloadHash('algorithm'))
  const digest = await primitives.hash(algorithm, envelope.payload)
  demandEqual(payloadHash('digest'), 'payload', digest, base64Bytes(payloadHash('digest')))
  return { payloadHash: { algorithm: hashNames[algorithm], digest: bytesToBase64(digest) }, signatures: [signature] }
}

function rebuildSignature(at: Place, logged: LoggedSignature): JsonValue {
  const field = members(at, ['content', 'verifier'])
  demandEqual(field('content'), 'signature', logged.signature, base64Bytes(field('content')))
  const verifier = members(field('verifier'), ['keyDetails', 'publicKey', 'x509Certificate'])
  const keyDetails = demandKeyDetails(verifier('keyDetails'), logged)
  const [arm, expected] =
    logged.certificate === undefined ? (['publicKey', logged.key.spki] as const) : (['x509Certificate', logged.certificate] as const)
  if (isAbsent(verifier(arm))) refuse(field('verifier'), 'the log entry names another kind of signer', { expected: arm })
  const rawBytes = members(verifier(arm), ['rawBytes'])('rawBytes')
  demandEqual(rawBytes, 'signer', expected, base64Bytes(rawBytes))
  return { content: bytesToBase64(logged.signature), verifier: { keyDetails, [arm]: { rawBytes: bytesToBase64(expected) } } }
}

/** The log names the algorithm with which it verified the signature; it must be the one with which we did. */
function demandKeyDetails(at: Place, logged: LoggedSignature): string {
  const name = nonEmptyText(at)
  const algorithm: SignatureAlgorithm | undefined = algorithmByName(name)
  const same = algorithm?.scheme === logged.algorithm.scheme && algorithm.hash === logged.algorithm.hash && suits(algorithm, logged.key)
  return same ? name : refuse(at, 'the log entry is for another algorithm', { expected: logged.algorithm.name, found: name.slice(0, 80) })
}

function readHashName(at: Place): HashAlgorithm {
  const name = oneOf(at, Object.values(hashNames))
  return (Object.keys(hashNames) as HashAlgorithm[]).find((algorithm) => hashNames[algorithm] === name) as HashAlgorithm
}
