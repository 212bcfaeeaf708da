/** The root of a tree as RFC 6962 defines it: slow, and written from the definition alone, to test what is fast. */
import { createHash } from 'node:crypto'

/** MTH of RFC 6962 §2.1, as it is written there, over leaf hashes. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length < 2) return leaves[0] ?? new Uint8Array(createHash('sha256').digest())
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  const node = createHash('sha256').update(Uint8Array.of(1))
  return new Uint8Array(
    node
      .update(naiveRoot(leaves.slice(0, k)))
      .update(naiveRoot(leaves.slice(k)))
      .digest(),
  )
}
