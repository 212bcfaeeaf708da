/** Entry IDs of Rekor v1 (sigstore/rekor, pkg/sharding): 16 hexadecimal digits of the tree ID, then the Merkle leaf hash. */
import { bytesToHex, hexToBytes } from '@countersign/core/bytes'

/** What an ID names; the tree is absent where the leaf hash stands alone. */
export type EntryId = { readonly treeId?: string; readonly leafHash: Uint8Array }

/** Writes an ID. */
export function formatEntryId(treeId: string, leafHash: Uint8Array): string {
  return BigInt(treeId).toString(16).padStart(16, '0') + bytesToHex(leafHash)
}

/** Reads 80 or 64 hexadecimal digits; `undefined` for anything else. */
export function parseEntryId(text: string): EntryId | undefined {
  if (!/^(?:[0-9a-f]{64}|[0-9a-f]{80})$/i.test(text)) return undefined
  const leafHash = hexToBytes(text.slice(-64).toLowerCase())
  return text.length === 64 ? { leafHash } : { leafHash, treeId: BigInt(`0x${text.slice(0, 16)}`).toString() }
}
