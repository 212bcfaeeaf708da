/** `oci-archive:FILE`: an image layout in a tar file, read only. Blobs are streamed from where they lie in the file. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Repository } from '../registry/repository.ts'
import { checkDigest } from '../registry/verified-stream.ts'
import { createLayoutReader } from './layout-reader.ts'
import { openTarStore } from './tar-store.ts'

/**
 * Opens an archive. Throws `file_not_found`, `layout_malformed`, `layout_escape`, `limit_exceeded`; its writes throw `archive_read_only`. With
 * `index`, an `index.json` of another digest is `content_altered` whenever it is read.
 *
 * Hostile: a medium that hands out one archive while its fingerprint is checked, and another one when its images are carried. What `index.json`
 * names is bound by digests.
 */
export async function openArchiveRepository(file: string, index?: Digest): Promise<Repository> {
  const store = await openTarStore(file)
  const refuse = async (): Promise<never> => {
    throw new CountersignError('archive_read_only', `${store.name} is an archive, which is not written to`, {
      hint: 'Unpack it into a folder and name that with oci:DIR.',
    })
  }
  const checkedIndex = async (): Promise<Uint8Array> => {
    const bytes = await store.index()
    if (index !== undefined) checkDigest(bytes, index, `index.json in ${store.name}`)
    return bytes
  }
  return { ...createLayoutReader({ ...store, index: checkedIndex }), putBlob: refuse, putManifest: refuse, deleteManifest: refuse }
}
