/** A repository of a registry as a `Repository`. */
import { createRegistryCarrier } from './carrier.ts'
import { listReferrers } from './referrers.ts'
import type { Repository } from './repository.ts'
import type { RepositoryContext } from './repository-context.ts'
import { readBlob } from './blobs.ts'
import { readManifest, resolveManifest } from './manifests.ts'
import { listTags } from './tags.ts'
import { deleteManifest, expectBlob, putBlob, putManifest } from './writes.ts'

/** Makes the repository of a session. Nothing is asked before the first call. */
export function openRegistryRepository(context: RepositoryContext): Repository {
  return {
    name: context.session.name,
    resolve: (reference) => resolveManifest(context, reference),
    manifest: (reference) => readManifest(context, reference),
    blob: (descriptor) => readBlob(context, descriptor),
    referrers: (subject) => listReferrers(context, subject),
    tags: () => listTags(context),
    putBlob: (bytes, options) => putBlob(context, bytes, options),
    expectBlob: () => expectBlob(context),
    putManifest: (reference, bytes, mediaType, condition) => putManifest(context, reference, bytes, mediaType, condition),
    deleteManifest: (reference) => deleteManifest(context, reference),
    carrier: createRegistryCarrier(context),
  }
}
