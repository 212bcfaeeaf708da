/** Carries blobs: streamed, never whole in memory, each once; what is there is not sent again. */
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import { gate, readAll } from '../discover/bounded.ts'
import type { Repository, RepositoryReader } from '../registry/repository.ts'
import type { CarriedManifest } from './inventory.ts'

/** What became of the blobs. */
export type CarriedBlobs = { readonly sent: number; readonly mounted: number; readonly there: number; readonly bytes: number }

/** Told of each blob that is settled: its bytes, whether or not they had to travel. */
export type BlobProgress = (bytes: number) => void

/** Streams at the same time. Fewer than a host takes requests, so that reading from the host that is written to always finds a place. */
const streams = 4
/** What a repository without streams is given whole. */
const maxWholeBytes = 64 * 1024 * 1024

/** Carries every blob of these manifests. Throws `content_altered` for one that is not what its digest says; that one is not stored. */
export async function carryBlobs(
  manifests: Iterable<CarriedManifest>,
  destination: Repository,
  progress: BlobProgress = () => undefined,
): Promise<CarriedBlobs> {
  const wanted = new Map<Digest, { readonly blob: Descriptor; readonly from: RepositoryReader }>()
  for (const { blobs, from } of manifests) for (const blob of blobs) if (!wanted.has(blob.digest)) wanted.set(blob.digest, { blob, from })
  const through = gate(streams)
  const counts = { sent: 0, mounted: 0, there: 0, bytes: 0 }
  await Promise.all(
    [...wanted.values()].map(({ blob, from }) =>
      through(async () => {
        const outcome = await carryBlob(blob, from, destination)
        counts[outcome]++
        if (outcome === 'sent') counts.bytes += blob.size
        progress(blob.size)
      }),
    ),
  )
  return counts
}

async function carryBlob(blob: Descriptor, from: RepositoryReader, destination: Repository): Promise<'sent' | 'mounted' | 'there'> {
  const { carrier } = destination
  if (carrier === undefined) {
    await destination.putBlob(await readAll(from.blob(blob), maxWholeBytes, blob.digest, () => undefined))
    return 'sent'
  }
  if (await carrier.hasBlob(blob)) {
    if (isMedium(from)) await readThrough(from, blob)
    return 'there'
  }
  if ((await carrier.mount?.(blob, from.name)) === true) return 'mounted'
  await carrier.putStream(blob, () => from.blob(blob))
  return 'sent'
}

/** Whether it is read from files: a folder or an archive, which somebody carried here. */
function isMedium({ soleImage }: RepositoryReader): boolean {
  return soleImage !== undefined
}

/** Hostile: a medium that was altered on its way. What the destination has already is read too: whoever loads it must hear of it. */
async function readThrough(from: RepositoryReader, blob: Descriptor): Promise<void> {
  // Each part is dropped: the stream throws where digest or size differ.
  for await (const part of from.blob(blob)) void part.length
}
