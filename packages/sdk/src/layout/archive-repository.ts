/** `oci-archive:FILE`: an image layout in a tar file, read only. Blobs are streamed from where they lie in the file. */
import { openTarStore } from './tar-store.ts'
import { CountersignError } from '@countersign/core/failure'
import type { Repository } from '../registry/repository.ts'
import { createLayoutReader } from './layout-reader.ts'

/** Opens an archive. Throws `file_not_found`, `layout_malformed`, `layout_escape`, `limit_exceeded`; its writes throw `archive_read_only`. */
export async function openArchiveRepository(file: string): Promise<Repository> {
  const store = await openTarStore(file)
  const refuse = async (): Promise<never> => {
    throw new CountersignError('archive_read_only', `${store.name} is an archive, which is not written to`, {
      hint: 'Unpack it into a folder and name that with oci:DIR.',
    })
  }
  return { ...createLayoutReader(store), putBlob: refuse, putManifest: refuse, deleteManifest: refuse }
}
