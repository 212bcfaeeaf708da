/** Verifier keys of signed notes (c2sp.org/signed-note@v1, "Verifier keys"): how logs and witnesses are named in configurations. */
import { base64ToBytes, bytesToBase64 } from '../base64.ts'
import { bytesToHex, concatBytes, equalBytes, hexToBytes, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { defaultAlgorithm } from '../keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import { noteKeyId } from './key-id.ts'
import { cosignatureKeyHash, cosignedMessage, splitCosignature } from './sign.ts'
import type { SignedNote } from './signed-note.ts'

/** A key and how it signs: a log's, over the text alone; a witness's, over the text and a time. */
export type VerifierKey = {
  readonly kind: 'log' | 'witness'
  readonly name: string
  /** First 4 bytes of the key's identifier. */
  readonly keyHash: Uint8Array
  readonly publicKey: PublicKey
}

const types = { log: 1, witness: 4 } as const
/** RFC 8410 §4: the SubjectPublicKeyInfo of Ed25519 up to the key. */
const ed25519Prefix = '302a300506032b6570032100'
/** Others may share the four bytes of a hint; a hundred lines of one name would be a hundred signatures to verify. */
const maxCandidates = 8

/** Reads `<name>+<hash>+<base64 of type and key>`; Ed25519 alone. Throws `key_malformed`. */
export async function parseVerifierKey(primitives: Pick<Primitives, 'hash'>, text: string): Promise<VerifierKey> {
  const match = /^([^\s+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/u.exec(text)
  if (match === null) throw malformed('expected NAME+HASH+KEY')
  const [, name, hash, encoded] = match as unknown as [string, string, string, string]
  const key = base64ToBytes(encoded)
  const kind = key[0] === types.log ? 'log' : key[0] === types.witness ? 'witness' : undefined
  if (kind === undefined || key.length !== 33) throw malformed('not an Ed25519 key of a log or of a witness')
  const verifier = await verifierKey(primitives, kind, name, parsePublicKey(concatBytes(hexToBytes(ed25519Prefix), key.subarray(1))))
  if (bytesToHex(verifier.keyHash) !== hash) throw malformed('the hash is not that of the name and the key')
  return verifier
}

/** The key under a name. Throws `key_unsupported` for a witness whose key is not Ed25519. */
export async function verifierKey(
  primitives: Pick<Primitives, 'hash'>,
  kind: VerifierKey['kind'],
  name: string,
  publicKey: PublicKey,
): Promise<VerifierKey> {
  const keyHash =
    kind === 'witness' ? await cosignatureKeyHash(primitives, name, publicKey) : (await noteKeyId(primitives, name, publicKey)).slice(0, 4)
  return { kind, name, keyHash, publicKey }
}

/** Writes what {@link parseVerifierKey} reads. Throws `key_unsupported` for other keys than Ed25519. */
export function formatVerifierKey({ kind, name, keyHash, publicKey }: VerifierKey): string {
  if (publicKey.type !== 'ed25519')
    throw new CountersignError('key_unsupported', 'only Ed25519 keys have this form', { found: publicKey.type })
  return `${name}+${bytesToHex(keyHash)}+${bytesToBase64(concatBytes(Uint8Array.of(types[kind]), publicKey.raw))}`
}

/** Whether a line of the note is a signature by this key that holds. Gives the time of a witness's, in Unix seconds; 0 for a log's. */
export async function signedBy(
  primitives: Pick<Primitives, 'verify'>,
  note: SignedNote,
  key: VerifierKey,
): Promise<{ readonly seconds: number; readonly signature: Uint8Array } | undefined> {
  const lines = note.signatures.filter(({ name, keyHash }) => name === key.name && equalBytes(keyHash, key.keyHash))
  const text = utf8(note.text)
  for (const { signature } of lines.slice(0, maxCandidates)) {
    const cosignature = key.kind === 'witness' ? splitCosignature(signature) : { seconds: 0, signature }
    if (cosignature === undefined) continue
    const message = key.kind === 'witness' ? cosignedMessage(cosignature.seconds, text) : text
    if (await primitives.verify(defaultAlgorithm(key.publicKey), key.publicKey, message, cosignature.signature)) {
      return { seconds: cosignature.seconds, signature }
    }
  }
  return undefined
}

function malformed(detail: string): CountersignError {
  return new CountersignError('key_malformed', `not a verifier key of a note: ${detail}`)
}
