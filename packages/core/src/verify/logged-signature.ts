/** What a log entry must say to be about the signature at hand, and the comparisons that all entry types share. */
import { base64ToBytes } from '../base64.ts'
import { bytesToHex, equalBytes, fromUtf8 } from '../bytes.ts'
import { digestBytes, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { oneOf, refuse, text, type Members, type Place } from '../json/shape.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { decodePem } from '../pem.ts'
import type { Primitives } from '../primitives.ts'
import { demandDigest, type KnownArtifact } from './artifact.ts'
import type { ReadContent } from './content.ts'
import { readingPart } from './ledger.ts'

/** The facts of a signature that held, as a log would have recorded them. */
export type LoggedSignature = {
  readonly signature: Uint8Array
  readonly key: PublicKey
  /** DER of the signer's certificate, when the signature came with one: then the log must have recorded it. */
  readonly certificate?: Uint8Array
  readonly algorithm: SignatureAlgorithm
  /** Hash of what the signature is computed over. */
  readonly hash: (algorithm: HashAlgorithm) => Promise<Uint8Array>
  /** DSSE envelopes only. */
  readonly envelope?: { readonly payload: Uint8Array; readonly payloadType: string }
}

/** Gathers the facts. */
export function loggedSignature(
  content: ReadContent,
  held: { readonly key: PublicKey; readonly algorithm: SignatureAlgorithm },
  certificate: Uint8Array | undefined,
  artifact: KnownArtifact,
  primitives: Primitives,
): LoggedSignature {
  return {
    signature: content.signature,
    key: held.key,
    ...(certificate === undefined ? {} : { certificate }),
    algorithm: held.algorithm,
    hash: async (algorithm) =>
      content.kind === 'message' ? digestBytes(demandDigest(artifact, algorithm)) : primitives.hash(algorithm, content.message),
    ...(content.kind === 'statement' ? { envelope: { payload: content.payload, payloadType: content.payloadType } } : {}),
  }
}

/** The code with which every reader of an entry's body fails: the log has recorded something else than what is verified. */
export const mismatch = 'log_entry_mismatch'

/** Refuses unless bytes of the body equal those of the signature at hand. */
export function demandEqual(at: Place, what: string, expected: Uint8Array, found: Uint8Array): void {
  if (equalBytes(expected, found)) return
  refuse(at, `the log entry is for another ${what}`, { expected: brief(expected), found: brief(found) })
}

/** Refuses unless the entry's PEM names the signer: the same certificate, or for a bare key the same key. */
export function demandSigner(at: Place, pem: Uint8Array, logged: LoggedSignature): void {
  const [first] = readingPart(mismatch, `${at.path}: the signer in the log entry`, () => decodePem(fromUtf8(pem)))
  const [label, expected] = logged.certificate === undefined ? ['PUBLIC KEY', logged.key.spki] : ['CERTIFICATE', logged.certificate]
  if (first?.label !== label) {
    refuse(at, 'the log entry names another kind of signer', { expected: label, found: first?.label ?? 'no PEM block' })
  }
  demandEqual(at, 'signer', expected, first.bytes)
}

/** A Rekor v1 hash, `{algorithm, value}` with hex, that must be that of `hashed`. */
export async function demandHash(field: Members, what: string, hashed: (algorithm: HashAlgorithm) => Promise<Uint8Array>): Promise<void> {
  const algorithm = oneOf(field('algorithm'), ['sha256', 'sha384', 'sha512'])
  const expected = bytesToHex(await hashed(algorithm))
  const found = text(field('value'))
  if (found !== expected) refuse(field('value'), `the log entry is for another ${what}`, { expected, found: found.slice(0, 128) })
}

/** Base64 text inside base64, as Rekor's intoto entries carry signatures and payloads. */
export function innerBase64(at: Place, outer: Uint8Array): Uint8Array {
  return readingPart(mismatch, at.path, () => base64ToBytes(fromUtf8(outer)))
}

/** The refusal of an entry type that is not known: nothing about it can be compared. */
export function unknownKind(kind: string, version: string): CountersignError {
  return new CountersignError(mismatch, 'a log entry of a type that is not supported', {
    expected: 'hashedrekord, dsse or intoto',
    found: `${kind} ${version}`.slice(0, 100),
  })
}

function brief(bytes: Uint8Array): string {
  const hex = bytesToHex(bytes.subarray(0, 32))
  return bytes.length > 32 ? `${hex}… (${bytes.length} bytes)` : hex
}
