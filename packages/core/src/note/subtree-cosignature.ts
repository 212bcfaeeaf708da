/** ML-DSA-44 cosignatures (c2sp.org/tlog-cosignature, "ML-DSA-44 signed message"): they bind the cosigner's name and outlive Ed25519. */
import { bytesToBase64 } from '../base64.ts'
import { bytesToHex, concatBytes, fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { Awaitable, Primitives } from '../primitives.ts'
import { parseCheckpoint, type Checkpoint } from './checkpoint.ts'
import type { NoteSigner } from './sign.ts'

const signatureType = 0x06
/** FIPS 204, table 2. */
export const mlDsa44Bytes = { publicKey: 1312, signature: 2420 } as const

/**
 * A witness with an ML-DSA-44 key. `publicKey` are the key's own 1,312 bytes, `sign` signs a whole message (pure ML-DSA, empty context), and
 * `nowSeconds` is Unix time. Extension lines of a checkpoint are not signed. Throws `key_malformed`.
 */
export async function subtreeCosignatureSigner(
  primitives: Pick<Primitives, 'hash'>,
  name: string,
  publicKey: Uint8Array,
  sign: (message: Uint8Array) => Awaitable<Uint8Array>,
  nowSeconds: () => number,
): Promise<NoteSigner> {
  if (publicKey.length !== mlDsa44Bytes.publicKey)
    throw new CountersignError('key_malformed', `${publicKey.length} bytes are no ML-DSA-44 key`)
  const id = await primitives.hash('sha256', concatBytes(utf8(`${name}\n`), Uint8Array.of(signatureType), publicKey))
  return {
    name,
    keyHash: id.slice(0, 4),
    sign: async (text) => {
      const seconds = nowSeconds()
      const message = cosignedTree(name, seconds, parseCheckpoint(fromUtf8(text)))
      return concatBytes(uint64(seconds), await sign(message))
    },
  }
}

/** The verifier key of such a witness (c2sp.org/signed-note, "Verifier keys"); `publicKey` as for the signer. */
export function formatSubtreeVerifierKey({ name, keyHash }: NoteSigner, publicKey: Uint8Array): string {
  return `${name}+${bytesToHex(keyHash)}+${bytesToBase64(concatBytes(Uint8Array.of(signatureType), publicKey))}`
}

/** `cosigned_message` for a whole tree. Throws `note_malformed` when a name is empty or longer than 255 bytes. */
export function cosignedTree(name: string, seconds: number, { origin, size, rootHash }: Checkpoint): Uint8Array {
  return concatBytes(utf8('subtree/v1\n\0'), opaque(name), uint64(seconds), opaque(origin), uint64(0), uint64(size), rootHash)
}

function opaque(text: string): Uint8Array {
  const bytes = utf8(text)
  if (bytes.length === 0 || bytes.length > 255) throw new CountersignError('note_malformed', 'a name of 1 to 255 bytes is needed')
  return concatBytes(Uint8Array.of(bytes.length), bytes)
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value))
  return bytes
}
