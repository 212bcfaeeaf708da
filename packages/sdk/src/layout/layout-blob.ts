/** Whole blobs of a layout. */
import { joinBytes } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { altered, checkDigest } from '../registry/verified-stream.ts'
import type { LayoutStore } from './layout-store.ts'

/** A whole blob, hashed; `undefined` when it is not there. Throws `content_altered`, `limit_exceeded`. */
export async function readBlobWhole(store: LayoutStore, digest: Digest, limit: number): Promise<Uint8Array | undefined> {
  const blob = await store.blob(digest)
  if (blob === undefined) return undefined
  if (blob.size > limit) throw new CountersignError('limit_exceeded', `${store.name}@${digest} is larger than ${limit} bytes`)
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of blob.content()) {
    length += part.length
    if (length > blob.size) throw altered(`${store.name}@${digest}`, `${blob.size} bytes`, 'more')
    parts.push(part)
  }
  const bytes = joinBytes(parts)
  checkDigest(bytes, digest, `${store.name}@${digest}`)
  return bytes
}
