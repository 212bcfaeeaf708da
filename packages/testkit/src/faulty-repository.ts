/** A repository whose n-th write fails, before or after it takes effect: what a crash, or a lost answer, leaves behind. */
import { CountersignError } from '@countersign/core/failure'
import type { Repository } from '@countersign/sdk/registry/repository'

/** Which write fails, counted from 1, and whether the store has done it by then. All later requests fail too: the writer is dead. */
export type WriteFault = { readonly write: number; readonly when: 'before' | 'after' }

/** The repository with the fault, and how many writes were attempted. */
export type FaultyRepository = { readonly repository: Repository; readonly writes: () => number }

/** Wraps a repository; a fault beyond the last write never happens. */
export function faultyRepository(inner: Repository, fault: WriteFault): FaultyRepository {
  let writes = 0
  let dead = false
  const die = (): never => {
    dead = true
    throw new CountersignError('registry_unreachable', `the writer died at write ${fault.write}`)
  }
  const write = async <T>(act: () => Promise<T>): Promise<T> => {
    if (dead) return die()
    const mine = ++writes
    if (mine === fault.write && fault.when === 'before') return die()
    const result = await act()
    if (mine === fault.write || dead) return die()
    return result
  }
  const alive = <T>(act: () => T): T => (dead ? die() : act())
  return {
    writes: () => writes,
    repository: {
      name: inner.name,
      resolve: async (reference) => alive(() => inner.resolve(reference)),
      manifest: async (reference) => alive(() => inner.manifest(reference)),
      blob: (descriptor) => alive(() => inner.blob(descriptor)),
      referrers: async (subject) => alive(() => inner.referrers(subject)),
      tags: () => alive(() => inner.tags()),
      putBlob: (bytes) => write(() => inner.putBlob(bytes)),
      putManifest: (...args) => write(() => inner.putManifest(...args)),
      deleteManifest: (reference) => write(() => inner.deleteManifest(reference)),
    },
  }
}
