/** Hashes a source once, in constant memory. */
import { createHash } from 'node:crypto'
import { type Digest, digestFromBytes, type HashAlgorithm } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { BlobSource } from '../sign/requests.ts'

/** The digest of a whole source. `stop` may end the work early: then `undefined`. */
export async function hashSource(source: BlobSource, algorithm: HashAlgorithm, stop?: () => boolean): Promise<Digest | undefined> {
  const hash = createHash(algorithm)
  for await (const chunk of source.open()) {
    if (stop?.() === true) return undefined
    hash.update(chunk)
  }
  const digest = digestFromBytes(algorithm, hash.digest())
  if (digest === undefined) throw new CountersignError('internal', `${algorithm} gave an unexpected length`)
  return digest
}
