/**
 * Writes a fallback index anew: everything that was in it and exists, everything that writers' tags hold, each as its manifest has it.
 *
 * Safe beside writers, for the reason that `write/merge.ts` gives: a writer of ours tags before it merges, and this reads tags and index again
 * after it has written, until nothing is missing. What stands under the tag and is no index is kept under another tag before it is replaced.
 * A crash at any point leaves the old document or the new one.
 */
import { type Digest, digestHex } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, mediaTypes, referrerDescriptor } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { parseWriterTag } from '../discover/writer-tag.ts'
import type { Repository, StoredManifest, WriteCondition } from '../registry/repository.ts'
import { fallbackIndex } from '../write/document.ts'
import { type MergeOptions } from '../write/merge.ts'
import { patiently, randomPause } from '../write/patience.ts'
import { readContributed } from '../write/stored-document.ts'
import { readIndexDocument, sameDescriptor } from './index-document.ts'

/** What an examination knows of the entries. */
export type IndexPlan = {
  /** Referrers that exist, as they should be listed; all of them are put into the index. */
  readonly right: ReadonlyMap<Digest, Descriptor>
  /** Entries whose manifest was not there. */
  readonly gone: ReadonlySet<Digest>
}

const defaultRounds = 24

/** Where a document that is no index is kept before an index takes its tag. */
export function keptTag(subject: Digest, document: Digest): string {
  return `${fallbackTag(subject)}.${digestHex(document).slice(0, 32)}.replaced`
}

/** Writes until a read shows that nothing is missing. Throws `write_not_confirmed`, and the failures of the registry. */
export async function mendIndex(repository: Repository, subject: Digest, plan: IndexPlan, options: MergeOptions = {}): Promise<void> {
  const pause = options.pause ?? randomPause
  const known = new Map(plan.right)
  const maxRounds = options.maxRounds ?? defaultRounds
  for (let round = 0; round < maxRounds; round++) {
    if (round > 1) await pause(round)
    const stored = await patiently(() => repository.manifest({ tag: fallbackTag(subject) }), pause)
    const { entries, problem } = stored === undefined ? { entries: [], problem: undefined } : readIndexDocument(stored)
    // What is listed stays listed, unless it was not there; whoever added an entry meanwhile knows why.
    for (const entry of entries) if (!known.has(entry.digest) && !plan.gone.has(entry.digest)) known.set(entry.digest, entry)
    await learnFromWriters(repository, subject, known)
    if (stored !== undefined && problem === undefined && isComplete(entries, known)) return
    if (stored !== undefined && problem !== undefined) {
      await patiently(() => repository.putManifest({ tag: keptTag(subject, stored.digest) }, stored.bytes, stored.mediaType), pause)
    }
    await writeIndex(repository, subject, [...known.values()], stored, pause)
  }
  throw new CountersignError(
    'write_not_confirmed',
    `after ${maxRounds} rounds the tag ${fallbackTag(subject)} is still not as it should be`,
    {
      hint: 'Other writers may be busy with the same image. Run it again: nothing that is stored is lost.',
    },
  )
}

function isComplete(entries: readonly Descriptor[], known: ReadonlyMap<Digest, Descriptor>): boolean {
  if (entries.length !== known.size) return false
  return entries.every((entry) => {
    const wanted = known.get(entry.digest)
    return wanted !== undefined && sameDescriptor(entry, wanted)
  })
}

async function learnFromWriters(repository: Repository, subject: Digest, known: Map<Digest, Descriptor>): Promise<void> {
  const halves = new Set([...known.keys()].map((digest) => digestHex(digest).slice(0, 32)))
  const tags: string[] = []
  for await (const tag of repository.tags()) {
    const writer = parseWriterTag(subject, tag)
    if (writer?.kind === 'bundle' && !halves.has(writer.half)) tags.push(tag)
  }
  for (const tag of tags) {
    const stored = await repository.manifest({ tag })
    const manifest = stored === undefined ? undefined : readContributed(stored)
    if (stored === undefined || manifest?.subject?.digest !== subject) continue
    known.set(stored.digest, referrerDescriptor({ ...stored, size: stored.bytes.length }, manifest))
  }
}

async function writeIndex(
  repository: Repository,
  subject: Digest,
  entries: readonly Descriptor[],
  stored: StoredManifest | undefined,
  pause: NonNullable<MergeOptions['pause']>,
): Promise<void> {
  const index = fallbackIndex(entries)
  const tag = fallbackTag(subject)
  const condition: WriteCondition | undefined =
    stored === undefined ? { kind: 'if_none_match' } : stored.etag === undefined ? undefined : { kind: 'if_match', etag: stored.etag }
  try {
    // A refused condition means that somebody else wrote: the next round reads that.
    await patiently(() => repository.putManifest({ tag }, index.bytes, mediaTypes.ociIndex, condition), pause)
  } catch (cause) {
    // Some registries reject the header as such.
    if (condition === undefined || !(cause instanceof CountersignError) || cause.code !== 'write_rejected') throw cause
    await repository.putManifest({ tag }, index.bytes, mediaTypes.ociIndex)
  }
}
