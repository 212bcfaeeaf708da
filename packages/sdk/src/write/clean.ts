/** Removes writer tags that have done their work. `sign` never does this. */
import type { Digest } from '@countersign/core/digest'
import { annotationKeys, fallbackTag, legacyTag } from '@countersign/core/oci/layouts'
import type { ImageManifest } from '@countersign/core/oci/model'
import { parseStoredManifest } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import { halfOf, parseWriterTag, type WriterTag, type WriterTagKind } from '../discover/writer-tag.ts'
import type { Repository, StoredManifest } from '../registry/repository.ts'

/** What became of the writer tags of a subject. */
export type CleanedTags = { readonly removed: readonly string[]; readonly kept: readonly string[] }

const dayMs = 24 * 60 * 60 * 1_000

/**
 * Removes a subject's writer tags whose signature the shared index or manifest holds, and has held for a day as far as anyone can tell: the
 * signature was made before `nowMs - olderThanMs`. A stale writer might still overwrite the index before that, and the tag would be missed.
 *
 * With `olderThanMs` 0 the age is not looked at, which demands that nobody else writes meanwhile.
 * A tag is deleted by its name alone; registries that delete only whole manifests refuse with `write_rejected`, and nothing is lost.
 *
 * @example
 * ```ts
 * const { removed } = await cleanWriterTags(repository, digest, { nowMs: Date.now() })
 * ```
 */
export async function cleanWriterTags(
  repository: Repository,
  subject: Digest,
  options: { readonly nowMs: number; readonly olderThanMs?: number },
): Promise<CleanedTags> {
  const writers: WriterTag[] = []
  for await (const tag of repository.tags()) {
    const writer = parseWriterTag(subject, tag)
    if (writer !== undefined) writers.push(writer)
  }
  const held = await heldHalves(repository, subject, new Set(writers.map((writer) => writer.kind)))
  const removed: string[] = []
  const kept: string[] = []
  for (const writer of writers) {
    const halves = held.get(writer.kind) ?? new Set()
    // One tag of a copy may hold many signatures; its name is then none of theirs.
    const stored = halves.size === 0 ? undefined : await repository.manifest({ tag: writer.tag })
    if (stored === undefined || !(halves.has(writer.half) || holdsLayers(halves, stored)) || !isOld(stored, options)) {
      kept.push(writer.tag)
      continue
    }
    await removeTag(repository, writer.tag, stored)
    removed.push(writer.tag)
  }
  return { removed, kept }
}

/** Some registries delete the manifest with its tag; the index needs a bundle's manifest, so it is put back before the next is touched. */
async function removeTag(repository: Repository, tag: string, stored: StoredManifest): Promise<void> {
  const { digest } = stored
  await repository.deleteManifest({ tag })
  if ((await repository.resolve({ digest })) === undefined) await repository.putManifest({ digest }, stored.bytes, stored.mediaType)
}

function holdsLayers(halves: ReadonlySet<string>, stored: StoredManifest): boolean {
  const manifest = parseStoredManifest(stored)
  return (
    manifest?.kind === 'manifest' && manifest.layers.length > 1 && manifest.layers.every((layer) => halves.has(halfOf(layerKey(layer))))
  )
}

async function heldHalves(
  repository: Repository,
  subject: Digest,
  kinds: ReadonlySet<WriterTagKind>,
): Promise<Map<WriterTagKind, ReadonlySet<string>>> {
  const held = new Map<WriterTagKind, ReadonlySet<string>>()
  for (const kind of kinds) {
    const stored = await repository.manifest({ tag: kind === 'bundle' ? fallbackTag(subject) : legacyTag(subject, kind) })
    const document = stored === undefined ? undefined : parseStoredManifest(stored)
    if (document === undefined) continue
    const content = document.kind === 'index' ? document.manifests.map((one) => one.digest) : document.layers.map(layerKey)
    held.set(kind, new Set(content.map(halfOf)))
  }
  return held
}

function isOld(stored: StoredManifest, options: { readonly nowMs: number; readonly olderThanMs?: number }): boolean {
  const olderThanMs = options.olderThanMs ?? dayMs
  if (olderThanMs === 0) return true
  const manifest = parseStoredManifest(stored)
  const createdMs = manifest?.kind === 'manifest' ? createdAt(manifest) : undefined
  return createdMs !== undefined && createdMs <= options.nowMs - olderThanMs
}

/** The writer's own clock: a wrong one keeps a tag too long, or not long enough, never the signature from the index. */
function createdAt(manifest: ImageManifest): number | undefined {
  const text = manifest.annotations[annotationKeys.created]
  const timeMs = text === undefined ? Number.NaN : Date.parse(text)
  return Number.isFinite(timeMs) ? timeMs : undefined
}
