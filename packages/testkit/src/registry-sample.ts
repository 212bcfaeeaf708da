/** Recorded registries: folders of `manifest_<tag>.json`, `manifest_sha256_<hex>.json` and `blob_sha256_<hex>`, as a repository in memory. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { memoryRepository, type MemoryRepository, type MemoryRepositoryOptions, sha256Digest } from './memory-repository.ts'

/** A recorded registry, and the images in it that something signs. */
export type RegistrySample = { readonly repository: MemoryRepository; readonly subjects: readonly Digest[] }

/** Reads a folder of a recorded registry. */
export function readRegistrySample(folder: string, options: MemoryRepositoryOptions): RegistrySample {
  const repository = memoryRepository(options)
  const subjects = new Set<Digest>()
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name))
    if (name.startsWith('blob_sha256_')) repository.blobs.set(sha256Digest(bytes), bytes)
    if (!name.startsWith('manifest_')) continue
    const content = JSON.parse(bytes.toString('utf8')) as { mediaType?: string; manifests?: unknown; subject?: { digest: string } }
    const kind = content.manifests === undefined ? 'manifest' : 'index'
    const digest = sha256Digest(bytes)
    repository.manifests.set(digest, { bytes, mediaType: content.mediaType ?? `application/vnd.oci.image.${kind}.v1+json` })
    const tag = name.slice('manifest_'.length, -'.json'.length)
    const named = parseDigest(content.subject?.digest ?? tag.replace(/^sha256-([0-9a-f]{64})(?:\..*)?$/, 'sha256:$1'))
    if (named !== undefined) subjects.add(named)
    if (!tag.startsWith('sha256_')) repository.tagged.set(tag, digest)
  }
  return { repository, subjects: [...subjects].filter((subject) => repository.manifests.has(subject)) }
}
