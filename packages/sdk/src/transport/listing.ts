/** Makes what was stored findable: in the referrers list or the fallback index, or under cosign's tag of SBOMs. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { legacyTag, referrerDescriptor } from '@countersign/core/oci/layouts'
import type { Repository, StoredManifest } from '../registry/repository.ts'
import { indexReferrers } from '../write/carried-writer.ts'
import type { MergeOptions } from '../write/merge.ts'
import { patiently } from '../write/patience.ts'
import type { CarriedManifest } from './inventory.ts'

/** Puts what the destination does not list by itself into the fallback index. Throws as `indexReferrers`. */
export async function ensureListed(
  subject: Digest,
  referrers: readonly Pick<CarriedManifest, 'stored' | 'manifest'>[],
  destination: Repository,
  options: MergeOptions = {},
): Promise<void> {
  if (referrers.length === 0) return
  const answer = await destination.referrers(subject)
  const listed = new Set(answer.kind === 'listed' ? answer.manifests.map(({ digest }) => digest) : [])
  const missing = referrers.filter(({ stored }) => !listed.has(stored.digest))
  const carried = missing.map(({ stored, manifest }) => ({
    manifest: stored,
    descriptor: referrerDescriptor({ ...stored, size: stored.bytes.length }, manifest),
  }))
  if (carried.length > 0) await indexReferrers(destination, subject, carried, options)
}

/**
 * Puts an SBOM under `.sbom`. cosign keeps one there, so there is nothing to merge: another one is `tag_taken` unless `force` is set. Returns
 * whether anything had to be written.
 */
export async function putSbom(
  subject: Digest,
  stored: StoredManifest,
  destination: Repository,
  options: { readonly force?: boolean },
): Promise<boolean> {
  const tag = legacyTag(subject, 'sbom')
  const there = await destination.resolve({ tag })
  if (there?.digest === stored.digest) return false
  if (there !== undefined && options.force !== true) {
    throw new CountersignError('tag_taken', `${destination.name} has another SBOM under ${tag}`, {
      expected: stored.digest,
      found: there.digest,
      hint: 'Remove it with "countersign clean --type sbom", or overwrite it with --force.',
    })
  }
  await patiently(async () => destination.putManifest({ tag }, stored.bytes, stored.mediaType))
  return true
}
