/** Writing of C2SP signed notes: a text under the signatures of who vouches for it (c2sp.org/signed-note@v1, tlog-checkpoint, tlog-cosignature@v1). */
import { bytesToBase64 } from '../base64.ts'
import { concatBytes, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Awaitable, Primitives } from '../primitives.ts'
import { formatCheckpoint } from './checkpoint.ts'
import { noteKeyId } from './key-id.ts'
import { formatSignatureLine } from './signed-note.ts'

/** Who signs notes: a name without spaces and plus signs, the first 4 bytes of the key's identifier, and how it signs a note's text. */
export type NoteSigner = {
  readonly name: string
  readonly keyHash: Uint8Array
  /** What follows the key hash in the line. Deterministic or not, as the key is. */
  readonly sign: (text: Uint8Array) => Awaitable<Uint8Array>
}

/** Signature type of an Ed25519 cosignature with a time (tlog-cosignature, "Format"). */
const cosignatureType = 0x04
const timeBytes = 8

/** A signer of the logs of Sigstore: Ed25519 (type 0x01), or ECDSA in DER, whose key identifier is the hash of the key. */
export async function logNoteSigner(
  primitives: Pick<Primitives, 'hash'>,
  name: string,
  publicKey: PublicKey,
  sign: (message: Uint8Array) => Awaitable<Uint8Array>,
): Promise<NoteSigner> {
  demandName(name)
  return { name, keyHash: (await noteKeyId(primitives, name, publicKey)).slice(0, 4), sign }
}

/**
 * A witness: an Ed25519 key whose signature says that at this time it saw the tree, and no other of that size before
 * (tlog-cosignature, "Signed message"). `nowSeconds` is Unix time; `sign` signs a whole message.
 */
export async function cosignatureSigner(
  primitives: Pick<Primitives, 'hash'>,
  name: string,
  publicKey: PublicKey,
  sign: (message: Uint8Array) => Awaitable<Uint8Array>,
  nowSeconds: () => number,
): Promise<NoteSigner> {
  const keyHash = await cosignatureKeyHash(primitives, name, publicKey)
  return {
    name,
    keyHash,
    sign: async (text) => {
      const seconds = nowSeconds()
      const time = new Uint8Array(timeBytes)
      new DataView(time.buffer).setBigUint64(0, BigInt(seconds))
      return concatBytes(time, await sign(cosignedMessage(seconds, text)))
    },
  }
}

/** What an Ed25519 cosignature is over. */
export function cosignedMessage(seconds: number, text: Uint8Array): Uint8Array {
  return concatBytes(utf8(`cosignature/v1\ntime ${seconds}\n`), text)
}

/** First 4 bytes of SHA-256 of name, newline, 0x04 and the key. Throws `key_unsupported` for other keys than Ed25519. */
export async function cosignatureKeyHash(primitives: Pick<Primitives, 'hash'>, name: string, key: PublicKey): Promise<Uint8Array> {
  demandName(name)
  if (key.type !== 'ed25519') {
    throw new CountersignError('key_unsupported', 'a witness signs with Ed25519', { expected: 'ed25519', found: key.type })
  }
  const id = await primitives.hash('sha256', concatBytes(utf8(`${name}\n`), Uint8Array.of(cosignatureType), key.raw))
  return id.slice(0, 4)
}

/** The time in an Ed25519 cosignature and the signature itself; `undefined` when it is not one. */
export function splitCosignature(signature: Uint8Array): { readonly seconds: number; readonly signature: Uint8Array } | undefined {
  if (signature.length !== timeBytes + 64) return undefined
  const seconds = Number(new DataView(signature.buffer, signature.byteOffset).getBigUint64(0))
  return Number.isSafeInteger(seconds) ? { seconds, signature: signature.slice(timeBytes) } : undefined
}

/** One line of a signer under a note's text, which ends with a newline. */
export async function signNoteText(text: string, signer: NoteSigner): Promise<string> {
  const signature = await signer.sign(utf8(text))
  return formatSignatureLine(signer.name, bytesToBase64(concatBytes(signer.keyHash, signature)))
}

/** A checkpoint under the signatures of these, in their order; at least one. */
export async function signCheckpoint(
  tree: { readonly origin: string; readonly size: number; readonly rootHash: Uint8Array; readonly extensions?: readonly string[] },
  signers: readonly NoteSigner[],
): Promise<string> {
  const text = formatCheckpoint(tree.origin, tree.size, bytesToBase64(tree.rootHash), tree.extensions)
  const lines = await Promise.all(signers.map(async (signer) => signNoteText(text, signer)))
  return `${text}\n${lines.join('')}`
}

/** A key name has neither white space nor a plus sign (signed-note, "Signatures"). */
function demandName(name: string): void {
  if (name === '' || /[\s+]/u.test(name)) throw new CountersignError('note_malformed', `not a name of a key: ${JSON.stringify(name)}`)
}
