/** Examines how the signatures of one image are stored: what is lost, malformed, or hidden from whom. Nothing is verified or written. */
import type { Digest } from '@countersign/core/digest'
import { unreachable } from '@countersign/core/failure'
import { fallbackTag, legacyTag, mediaTypes, referrerDescriptor } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { isBundleMediaType } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import type { RepositoryReader } from '../registry/repository.ts'
import { checkLegacy, checkReferrer } from './check-content.ts'
import { type Finding, finding } from './finding.ts'
import { type Gathered, gatherSignatures, type ExaminedManifest } from './gather.ts'
import { sameDescriptor } from './index-document.ts'

/** What an examination found, and what it was found in. */
export type Examination = { readonly findings: readonly Finding[]; readonly gathered: Gathered }

/**
 * Examines one image. Failures of the registry are in `gathered.unreadable`; while there are any, an absence of findings says nothing.
 *
 * @example
 * ```ts
 * const { findings } = await examineSignatures(repository, digest, true)
 * for (const { code, place, affects } of findings) console.log(code, place, affects)
 * ```
 */
export async function examineSignatures(repository: RepositoryReader, subject: Digest, subjectExists: boolean): Promise<Examination> {
  const gathered = await gatherSignatures(repository, subject, subjectExists)
  const findings = [
    ...checkExistence(gathered),
    ...checkIndex(gathered),
    ...checkListing(gathered),
    ...checkReferrers(gathered),
    ...(['sig', 'att'] as const).flatMap((kind) => checkLegacy(gathered, kind, legacyTag(subject, kind))),
    ...checkLegacyWriters(gathered),
    ...checkMixture(gathered),
  ]
  return { findings, gathered }
}

/** The descriptors by which referrers that were read should be listed; those of this subject alone. */
export function rightDescriptors({ referrers, subject }: Gathered): ReadonlyMap<Digest, Descriptor> {
  const right = new Map<Digest, Descriptor>()
  for (const [digest, read] of referrers) {
    if (read.kind !== 'read' || read.manifest.subject?.digest !== subject) continue
    right.set(digest, referrerDescriptor({ ...read.stored, size: read.stored.bytes.length }, read.manifest))
  }
  return right
}

/** True when something refers to the image at all. */
export function hasAccessories({ index, sig, att, writers, referrers }: Gathered): boolean {
  return index.stored !== undefined || sig.kind !== 'missing' || att.kind !== 'missing' || writers.length > 0 || referrers.size > 0
}

function checkExistence(gathered: Gathered): readonly Finding[] {
  if (gathered.subjectExists || !hasAccessories(gathered)) return []
  return [finding('subject_missing', gathered.subject, 'something refers to the image, and the image is not there')]
}

function checkIndex(gathered: Gathered): readonly Finding[] {
  const { index, referrers, subject } = gathered
  const tag = fallbackTag(subject)
  const found: Finding[] = []
  if (index.problem !== undefined) found.push(finding('fallback_index_malformed', tag, index.problem))
  const right = rightDescriptors(gathered)
  const seen = new Set<Digest>()
  for (const entry of index.entries) {
    const place = `${tag} ${entry.digest}`
    if (seen.has(entry.digest)) {
      found.push(finding('fallback_entry_duplicate', place, 'it is listed twice'))
      continue
    }
    seen.add(entry.digest)
    const expected = right.get(entry.digest)
    if (referrers.get(entry.digest)?.kind === 'missing') {
      found.push(finding('fallback_entry_dangling', place, 'the manifest that it names is not there'))
    } else if (expected !== undefined && !sameDescriptor(entry, expected)) {
      found.push(finding('fallback_entry_wrong', place, wrongEntry(entry, expected)))
    }
  }
  return found
}

function wrongEntry(entry: Descriptor, expected: Descriptor): string {
  if (entry.artifactType !== expected.artifactType) {
    return `artifact type ${entry.artifactType ?? 'absent'} where the manifest has ${expected.artifactType ?? 'none'}`
  }
  if (entry.size !== expected.size || entry.mediaType !== expected.mediaType) return 'its size or media type is not that of the manifest'
  return 'it lacks the annotations of the manifest'
}

/** What exists and is not listed where tools look. */
function checkListing(gathered: Gathered): readonly Finding[] {
  const { api, index, subject } = gathered
  const tag = fallbackTag(subject)
  const right = [...rightDescriptors(gathered).keys()]
  const inIndex = new Set(index.entries.map(({ digest }) => digest))
  if (api === undefined) return []
  if (api.kind === 'listed') {
    const listed = new Set(api.manifests.map(({ digest }) => digest))
    const unlisted = right
      .filter((digest) => !listed.has(digest))
      .map((digest) => finding('referrer_unlisted', digest, `it is in ${inIndex.has(digest) ? tag : 'a writer’s tag'} alone`))
    const stale = index.stored === undefined ? [] : right.filter((digest) => !inIndex.has(digest) && listed.has(digest))
    const kept = stale.map((digest): Finding => ({
      ...finding('fallback_entry_missing', `${tag} ${digest}`, 'the referrers API lists it, and the index beside it does not'),
      severity: 'warning',
      affects: 'Tools that read the tag alone do not see it.',
    }))
    return [...unlisted, ...kept]
  }
  const missing = right.filter((digest) => !inIndex.has(digest))
  if (index.stored === undefined) {
    if (missing.length === 0) return []
    return [finding('fallback_index_missing', tag, `${missing.length} in tags of their writers, and no index`)]
  }
  return missing.map((digest) => finding('fallback_entry_missing', `${tag} ${digest}`, 'it is under its writer’s tag alone'))
}

function checkReferrers(gathered: Gathered): readonly Finding[] {
  const inIndex = new Set(gathered.index.entries.map(({ digest }) => digest))
  return [...gathered.referrers].flatMap(([digest, read]): readonly Finding[] => {
    switch (read.kind) {
      case 'missing':
        return inIndex.has(digest) ? [] : [finding('referrer_malformed', digest, 'the referrers API lists it, and it is not there')]
      case 'altered':
        return [finding('content_altered', digest, read.detail)]
      case 'malformed':
        return [finding('referrer_malformed', digest, read.detail)]
      case 'read':
        return checkReferrer(gathered, digest, read)
      default:
        return unreachable(read)
    }
  })
}

function checkLegacyWriters({ writers, sig, att }: Gathered): readonly Finding[] {
  const keys = { sig: keysOf(sig), att: keysOf(att) }
  return writers.flatMap(({ kind, tag, content }) => {
    if (kind === 'bundle') return []
    if (content.kind === 'altered') return [finding('content_altered', tag, content.detail)]
    if (content.kind === 'malformed') return [finding('legacy_tag_malformed', tag, content.detail)]
    const unmerged = [...keysOf(content)].filter((key) => !keys[kind].has(key))
    return unmerged.length === 0 ? [] : [finding('writer_tag_unmerged', tag, `it is not in .${kind}`)]
  })
}

function keysOf(read: ExaminedManifest): ReadonlySet<Digest> {
  return new Set(read.kind === 'read' ? read.layers.map(({ descriptor }) => layerKey(descriptor)) : [])
}

function checkMixture({ sig, referrers, subject }: Gathered): readonly Finding[] {
  const legacy = sig.kind === 'read' ? sig.layers.filter(({ descriptor }) => descriptor.mediaType === mediaTypes.simpleSigning).length : 0
  const bundles = [...referrers.values()].filter(
    (read) => read.kind === 'read' && read.layers.some(({ descriptor }) => isBundleMediaType(descriptor.mediaType)),
  ).length
  if (legacy === 0 || bundles === 0) return []
  return [finding('layouts_mixed', subject, `${bundles} in the bundle layout, ${legacy} legacy signature${legacy === 1 ? '' : 's'}`)]
}
