/** Signs TUF metadata and counts its signatures (TUF specification 1.0.31 §4.2, §5.3.4). */
import { bytesToHex, hexToBytes } from '../bytes.ts'
import { defaultAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Awaitable, Primitives } from '../primitives.ts'
import { tufCanonicalJson } from './canonical.ts'
import type { TufKey, TufMetadata, TufRoleKeys, TufSignature } from './model.ts'
import { encodeTufMetadata, tufKey } from './write.ts'
import { parseTufMetadata } from './read.ts'

/** A key that signs metadata: P-256, ASN.1 DER signatures over SHA-256 of a message. */
export type TufSigner = { readonly publicKey: PublicKey; readonly sign: (message: Uint8Array) => Awaitable<Uint8Array> }

/** One signature over the part that is signed. Throws `key_unsupported` for a key that is not P-256. */
export async function signTufContent(content: TufMetadata['content'], signer: TufSigner, primitives: Primitives): Promise<TufSignature> {
  const { id } = await tufKey(signer.publicKey, primitives)
  return { keyId: id, signature: bytesToHex(await signer.sign(tufCanonicalJson(content))) }
}

/**
 * Adds a signature to a metadata file: what who holds an offline key does with a file of a ceremony. The key's older signature is replaced. Reads
 * nothing but the file; whether the key counts is decided where the file goes back to. Throws `tuf_malformed`, `key_unsupported`.
 */
export async function signTufFile(document: Uint8Array, signer: TufSigner, primitives: Primitives): Promise<Uint8Array> {
  const metadata = parseTufMetadata(document)
  const added = await signTufContent(metadata.content, signer, primitives)
  return encodeTufMetadata(metadata.content, withSignature(metadata.signatures, added))
}

/** The list with a signature added, in place of an older one by the same key. */
export function withSignature(signatures: readonly TufSignature[], added: TufSignature): readonly TufSignature[] {
  return [...signatures.filter(({ keyId }) => keyId !== added.keyId), added]
}

/**
 * Those of a role's keys whose signature over the metadata holds; each counts once, by what it is: hostile, a root that lists one key under two
 * names would have its holder sign for two. Signatures of other keys are passed over.
 */
export async function validTufSignatures(metadata: TufMetadata, role: TufRoleKeys, primitives: Primitives): Promise<readonly TufKey[]> {
  const message = tufCanonicalJson(metadata.content)
  const valid = new Map<string, TufKey>()
  for (const key of role.keys) {
    const found = metadata.signatures.find(({ keyId }) => keyId === key.id)
    const { publicKey } = key
    const point = bytesToHex(publicKey.raw)
    if (found === undefined || valid.has(point)) continue
    if (await primitives.verify(defaultAlgorithm(publicKey), publicKey, message, hexToBytes(found.signature))) valid.set(point, key)
  }
  return [...valid.values()]
}
