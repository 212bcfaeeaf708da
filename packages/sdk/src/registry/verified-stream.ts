/** Content-addressed bytes: a digest is computed from what arrived, never taken from a header, a file name or a descriptor. */
import { createHash } from 'node:crypto'
import { digestAlgorithm, digestFromBytes, digestHex, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ManifestReference } from './repository.ts'

/** SHA-256 of bytes, in OCI notation. */
export function sha256Digest(bytes: Uint8Array): Digest {
  return digestFromBytes('sha256', createHash('sha256').update(bytes).digest()) as Digest
}

/** Throws `content_altered` when the bytes are not those that the digest names. */
export function checkDigest(bytes: Uint8Array, digest: Digest, what: string): void {
  const found = createHash(digestAlgorithm(digest)).update(bytes).digest('hex')
  if (found !== digestHex(digest)) throw altered(what, digest, `${digestAlgorithm(digest)}:${found}`)
}

/** The digest of a manifest that is about to be written under a tag or its digest. Throws `content_altered` when it is not the one that is named. */
export function digestToWrite(reference: ManifestReference, bytes: Uint8Array): Digest {
  if ('tag' in reference) return sha256Digest(bytes)
  checkDigest(bytes, reference.digest, 'the manifest to write')
  return reference.digest
}

/**
 * Passes a stream on and throws `content_altered` as soon as it is longer than the descriptor says, or at its end when it is shorter or
 * hashes to something else. What was passed on before the end is unverified.
 */
export async function* verifiedStream(
  source: AsyncIterable<Uint8Array>,
  descriptor: Pick<Descriptor, 'digest' | 'size'>,
  what: string,
): AsyncIterable<Uint8Array> {
  const { digest, size } = descriptor
  const hash = createHash(digestAlgorithm(digest))
  let length = 0
  for await (const part of source) {
    length += part.length
    if (length > size) throw altered(what, `${size} bytes`, 'more')
    hash.update(part)
    yield part
  }
  if (length !== size) throw altered(what, `${size} bytes`, `${length} bytes`)
  const found = hash.digest('hex')
  if (found !== digestHex(digest)) throw altered(what, digest, `${digestAlgorithm(digest)}:${found}`)
}

/** The failure of content that is not what its digest or size says. */
export function altered(what: string, expected: string, found: string): CountersignError {
  return new CountersignError('content_altered', `${what} is not the content that was asked for`, { expected, found })
}
