/**
 * Bundles as bytes, one copy for all who are being answered with it. Hostile: readers who ask for a bundle of 16 MiB and take nothing of the
 * answer would each have the server keep one.
 */
import { sharedReads } from './shared-reads.ts'

/** Gives what `read` gives, or what somebody still has of an earlier read of the same path. */
export type SharedBytes = (path: string, read: () => Promise<Uint8Array | undefined>) => Promise<Uint8Array | undefined>

/** Below this a copy costs less than remembering it. */
const leastBytes = 65_536
const mostPaths = 4096

/** Shares what is in memory anyway, and keeps nothing there; reads at most `most` at once. */
export function sharedBytes(most: number): SharedBytes {
  const held = new Map<string, WeakRef<ArrayBufferLike>>()
  const asked = sharedReads<Uint8Array | undefined>(most)
  const keep = (path: string, bytes: Uint8Array): void => {
    // Only what is a file as a whole: then the memory that answers hold is known by its path.
    if (bytes.length < leastBytes || bytes.length !== bytes.buffer.byteLength) return
    if (held.size >= mostPaths) for (const [known, reference] of held) if (reference.deref() === undefined) held.delete(known)
    if (held.size < mostPaths) held.set(path, new WeakRef(bytes.buffer))
  }
  return async (path, read) => {
    const known = held.get(path)?.deref()
    if (known !== undefined) return new Uint8Array(known)
    const bytes = await asked(path, read)
    if (bytes !== undefined) keep(path, bytes)
    return bytes
  }
}
