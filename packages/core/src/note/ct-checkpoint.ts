/**
 * Checkpoints of certificate transparency logs (c2sp.org/static-ct-api, "Checkpoints"): the tree head of RFC 6962 §3.5, whose signature and time
 * are in the signature line of a note.
 */
import { bytesToBase64 } from '../base64.ts'
import { concatBytes, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Awaitable, Primitives } from '../primitives.ts'
import { tlsReader, tlsUint, tlsVector } from '../tls-encoding.ts'
import { formatCheckpoint, parseCheckpoint, type Checkpoint } from './checkpoint.ts'
import { formatSignatureLine, parseSignedNote, type NoteSignature } from './signed-note.ts'

/** A tree head to be signed. */
export type CtTreeHead = {
  readonly origin: string
  readonly size: number
  readonly rootHash: Uint8Array
  /** Unix milliseconds; not before any entry in the tree. */
  readonly timestampMs: number
}

/** The key of a log. Only ECDSA on P-256 is written. */
export type CtLogKey = {
  readonly publicKey: PublicKey
  readonly algorithm: SignatureAlgorithm
  readonly sign: (message: Uint8Array) => Awaitable<Uint8Array>
}

type Hashing = Pick<Primitives, 'hash'>

const signatureType = 0x05
const ecdsaSha256 = Uint8Array.of(4, 3)

/** The bytes that a log signs for a tree head (RFC 6962 §3.5, TreeHeadSignature). The origin is not among them. */
export function treeHeadSignedData({ size, rootHash, timestampMs }: Omit<CtTreeHead, 'origin'>): Uint8Array {
  const version = 0
  const treeHash = 1
  return concatBytes(Uint8Array.of(version, treeHash), tlsUint(timestampMs, 8), tlsUint(size, 8), rootHash)
}

/** The four bytes that name the key in a signature line: of SHA-256 over name, newline, 05 and the log's identifier (SHA-256 of its SPKI). */
export async function ctKeyHash(primitives: Hashing, origin: string, key: PublicKey): Promise<Uint8Array> {
  const logId = await primitives.hash('sha256', key.spki)
  return (await primitives.hash('sha256', concatBytes(utf8(`${origin}\n`), Uint8Array.of(signatureType), logId))).slice(0, 4)
}

/** Signs a tree head; gives the whole note. Throws `algorithm_unsupported` for a key that is not P-256. */
export async function signCtCheckpoint(primitives: Hashing, head: CtTreeHead, key: CtLogKey): Promise<string> {
  if (key.algorithm.scheme !== 'ecdsa' || key.algorithm.hash !== 'sha256') {
    throw new CountersignError('algorithm_unsupported', 'the checkpoint of a certificate transparency log is signed with P-256')
  }
  const signature = await key.sign(treeHeadSignedData(head))
  const keyHash = await ctKeyHash(primitives, head.origin, key.publicKey)
  const body = concatBytes(keyHash, tlsUint(head.timestampMs, 8), ecdsaSha256, tlsVector(signature))
  const text = formatCheckpoint(head.origin, head.size, bytesToBase64(head.rootHash))
  return `${text}\n${formatSignatureLine(head.origin, bytesToBase64(body))}`
}

/** A verified tree head. */
export type CtCheckpoint = Checkpoint & { readonly timestampMs: number }

/**
 * Reads a checkpoint and verifies it under the key of the log. Throws `note_malformed` or `checkpoint_malformed` for what is not one,
 * `checkpoint_invalid` for another origin, another key, extension lines (forbidden here) or a wrong signature.
 */
export async function verifyCtCheckpoint(
  primitives: Pick<Primitives, 'hash' | 'verify'>,
  note: string,
  log: { readonly origin: string; readonly publicKey: PublicKey; readonly algorithm: SignatureAlgorithm },
): Promise<CtCheckpoint> {
  const { text, signatures } = parseSignedNote(note)
  const checkpoint = parseCheckpoint(text)
  if (checkpoint.origin !== log.origin) throw invalid('it is of another log', log.origin, checkpoint.origin.slice(0, 200))
  if (checkpoint.extensions.length > 0) throw invalid('it has extension lines')
  const keyHash = await ctKeyHash(primitives, log.origin, log.publicKey)
  const line = signatures.find((each) => each.name === log.origin && each.keyHash.every((byte, i) => byte === keyHash[i]))
  if (line === undefined) throw invalid('no signature line names the key of the log')
  const { timestampMs, signature } = readSignature(line)
  const signed = treeHeadSignedData({ ...checkpoint, timestampMs })
  if (!(await primitives.verify(log.algorithm, log.publicKey, signed, signature))) throw invalid('the signature does not hold')
  return { ...checkpoint, timestampMs }
}

/** RFC6962NoteSignature. */
function readSignature(line: NoteSignature): { timestampMs: number; signature: Uint8Array } {
  const reader = tlsReader(line.signature, (detail) => invalid(`its signature is malformed, ${detail}`))
  const timestampMs = reader.uint(8)
  const algorithms = reader.take(2)
  const signature = reader.vector()
  reader.end()
  if (!Number.isSafeInteger(timestampMs)) throw invalid('a time beyond 2^53 milliseconds')
  if (algorithms[0] !== ecdsaSha256[0] || algorithms[1] !== ecdsaSha256[1]) throw invalid('it is not signed with ECDSA and SHA-256')
  return { timestampMs, signature }
}

function invalid(detail: string, expected?: string, found?: string): CountersignError {
  return new CountersignError('checkpoint_invalid', `checkpoint of a certificate transparency log: ${detail}`, {
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
  })
}
