/** The places in a repository where signatures of a subject may be listed. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, legacyTag } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ManifestReference, ReferrersAnswer, StoredManifest } from '../registry/repository.ts'
import { parseStoredManifest } from './entity.ts'
import type { Reading } from './reading.ts'
import { parseWriterTag } from './writer-tag.ts'

/** Which kind of place named a manifest. */
export type Source = 'referrers' | 'fallback' | 'writer' | 'legacy-writer' | 'legacy-tag'

/** A manifest that may hold signatures; `stored` where the listing itself brought it. */
export type Candidate = { readonly source: Source; readonly reference: ManifestReference; readonly stored?: StoredManifest }

/** Takes a bound that was hit: what lies beyond is not looked at, what was found before it is. */
export type Note = (failure: CountersignError) => void

/** What the referrers API answered. */
export async function referrerCandidates(reading: Reading, asked: Promise<ReferrersAnswer>, note: Note): Promise<Candidate[]> {
  const answer = await asked
  return answer.kind === 'unsupported' ? [] : fromDescriptors(reading, 'referrers', answer.manifests, note)
}

/** The fallback tag. */
export async function fallbackCandidates(reading: Reading, subject: Digest, note: Note): Promise<Candidate[]> {
  const tag = fallbackTag(subject)
  const stored = await reading.repository.manifest({ tag })
  if (stored === undefined) return []
  const index = parseStoredManifest(stored)
  // `cosign copy` puts the image itself under this tag: then it lists nothing, unless the manifest is a referrer on its own.
  if (index === undefined || index.kind === 'manifest') return [{ source: 'fallback', reference: { digest: stored.digest }, stored }]
  return fromDescriptors(reading, 'fallback', index.manifests, note)
}

function fromDescriptors(reading: Reading, source: Source, manifests: readonly Descriptor[], note: Note): Candidate[] {
  const { maxReferrers } = reading.limits
  const digests = [...new Set(manifests.map((descriptor) => descriptor.digest))]
  if (digests.length > maxReferrers) {
    note(new CountersignError('limit_exceeded', `${reading.repository.name} lists ${digests.length} referrers, more than ${maxReferrers}`))
  }
  return digests.slice(0, maxReferrers).map((digest) => ({ source, reference: { digest } }))
}

/** cosign's tag `.sig` or `.att`. */
export async function legacyTagCandidates(reading: Reading, subject: Digest, suffix: 'sig' | 'att'): Promise<Candidate[]> {
  const stored = await reading.repository.manifest({ tag: legacyTag(subject, suffix) })
  return stored === undefined ? [] : [{ source: 'legacy-tag', reference: { digest: stored.digest }, stored }]
}

/** A writer's own tag, and the half digest in its name. */
export type WriterCandidate = Candidate & { readonly half: string }

/** The tags that writers put for themselves, found in the list of all tags. */
export async function writerCandidates(reading: Reading, subject: Digest, note: Note): Promise<WriterCandidate[]> {
  const { maxTags, maxReferrers } = reading.limits
  const found: WriterCandidate[] = []
  let seen = 0
  for await (const tag of reading.repository.tags()) {
    if (++seen > maxTags) {
      note(new CountersignError('limit_exceeded', `${reading.repository.name} has more than ${maxTags} tags`))
      break
    }
    const writer = parseWriterTag(subject, tag)
    if (writer === undefined) continue
    if (found.length === maxReferrers) {
      note(new CountersignError('limit_exceeded', `${reading.repository.name} has more than ${maxReferrers} writer tags of one artifact`))
      break
    }
    found.push({ source: writer.kind === 'bundle' ? 'writer' : 'legacy-writer', reference: { tag }, half: writer.half })
  }
  return found
}
