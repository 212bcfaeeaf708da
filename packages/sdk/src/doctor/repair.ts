/**
 * Repairs what can be repaired without a key, losing nothing. Every step may be repeated, and one that was interrupted is found again:
 *
 *  1. Manifests that the referrers API does not list are pushed again, byte for byte. A crash leaves them as they were.
 *  2. Bundles of a wrong type get a second manifest of the right one, as `sign` writes it.
 *  3. Legacy signatures under writers' tags are merged, and hidden ones are put under `.sig`.
 *  4. The fallback index is written anew (`mend-index.ts`).
 *
 * Then the image is examined again: what is still found was not repaired.
 */
import { parseBundle } from '@countersign/core/bundle/parse'
import { serializeBundle } from '@countersign/core/bundle/serialize'
import type { Digest } from '@countersign/core/digest'
import type { CountersignError } from '@countersign/core/failure'
import { annotationKeys, mediaTypes } from '@countersign/core/oci/layouts'
import { formatTime } from '@countersign/core/trust/time-range'
import { parseStatement } from '@countersign/core/statement/statement'
import { isBundleMediaType } from '../discover/entity.ts'
import { layerKey } from '../discover/layer-key.ts'
import { failureIn } from '../discover/reading.ts'
import type { Repository } from '../registry/repository.ts'
import { writeBundle } from '../write/bundle-writer.ts'
import { legacyLayerMediaType, mergeLegacyLayer, writeLegacyLayer } from '../write/legacy-writer.ts'
import type { MergeOptions } from '../write/merge.ts'
import { examineSignatures, type Examination, rightDescriptors } from './examine.ts'
import { type Finding, type FindingCode, findingKey } from './finding.ts'
import type { Gathered, ExaminedLayer, ExaminedManifest } from './gather.ts'
import { mendIndex } from './mend-index.ts'

/** What a repair did. */
export type Repair = {
  /** What is not found any more. */
  readonly repaired: readonly Finding[]
  /** The image after the repair. */
  readonly after: Examination
  /** Why steps failed. */
  readonly failures: readonly CountersignError[]
}

const indexCodes: ReadonlySet<FindingCode> = new Set([
  'fallback_index_malformed',
  'fallback_index_missing',
  'fallback_entry_missing',
  'fallback_entry_dangling',
  'fallback_entry_wrong',
  'fallback_entry_duplicate',
])

/** Repairs what an examination found. `nowMs` dates what has to be written without a date of its own. */
export async function repairSignatures(
  repository: Repository,
  before: Examination,
  options: MergeOptions & { readonly nowMs: number },
): Promise<Repair> {
  const { gathered, findings } = before
  const has = (...codes: readonly FindingCode[]): boolean => findings.some(({ code }) => codes.includes(code))
  const failures: CountersignError[] = []
  const step = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (cause) {
      failures.push(failureIn(cause))
    }
  }
  if (has('referrer_unlisted')) await step(() => listAgain(repository, before))
  if (has('bundle_type_wrong', 'envelope_key_id')) await step(() => wrapAgain(repository, before, options))
  if (has('writer_tag_unmerged')) await step(() => mergeWriters(repository, gathered, options))
  if (has('legacy_hidden')) await step(() => showHidden(repository, before, options))
  if (findings.some(({ code }) => indexCodes.has(code))) {
    const gone = new Set([...gathered.referrers].filter(([, read]) => read.kind === 'missing').map(([digest]) => digest))
    await step(() => mendIndex(repository, gathered.subject, { right: rightDescriptors(gathered), gone }, options))
  }
  const after = await examineSignatures(repository, gathered.subject, gathered.subjectExists)
  const left = new Set(after.findings.map(findingKey))
  return { repaired: findings.filter((found) => !left.has(findingKey(found))), after, failures }
}

/** Pushes manifests again whose blobs are there, so that a registry which has learnt the referrers API since lists them. */
export async function listAgain(repository: Repository, { gathered, findings }: Examination): Promise<void> {
  for (const { code, place } of findings) {
    const read = code === 'referrer_unlisted' ? gathered.referrers.get(place as Digest) : undefined
    if (read?.kind !== 'read') continue
    const { stored } = read
    await repository.putManifest({ digest: stored.digest }, stored.bytes, stored.mediaType)
  }
}

type Layered = Extract<ExaminedManifest, { kind: 'read' }>
type EntityLayer = Extract<ExaminedLayer, { kind: 'entity' }>

/** The layers that findings of a code are about: their place is `MANIFEST LAYER`. */
function layersOf({ gathered, findings }: Examination, codes: readonly FindingCode[]): readonly (readonly [Layered, EntityLayer])[] {
  const places = new Set(findings.filter(({ code }) => codes.includes(code)).map(({ place }) => place))
  return [...gathered.referrers].flatMap(([digest, read]) => {
    if (read.kind !== 'read') return []
    const layers = read.layers.filter((layer) => layer.kind === 'entity')
    return layers.filter((layer) => places.has(`${digest} ${layer.descriptor.digest}`)).map((layer) => [read, layer] as const)
  })
}

async function wrapAgain(repository: Repository, before: Examination, options: MergeOptions & { nowMs: number }): Promise<void> {
  for (const [{ manifest }, { entity, bytes, descriptor }] of layersOf(before, ['bundle_type_wrong', 'envelope_key_id'])) {
    if (entity.content.kind !== 'dsse' || manifest.subject === undefined || !isBundleMediaType(descriptor.mediaType)) continue
    const named = entity.content.envelope.signatures.some(({ keyid }) => keyid !== undefined)
    await writeBundle(
      repository,
      {
        subject: manifest.subject,
        bundle: named ? serializeBundle(parseBundle(bytes)) : bytes,
        predicateType: parseStatement(entity.content.envelope.payload).predicateType,
        created: manifest.annotations[annotationKeys.created] ?? seconds(options.nowMs),
      },
      { ...options, ...(before.gathered.api === undefined ? {} : { referrers: before.gathered.api.kind }) },
    )
  }
}

async function mergeWriters(repository: Repository, { writers, subject, sig, att }: Gathered, options: MergeOptions): Promise<void> {
  for (const { kind, content } of writers) {
    if (kind === 'bundle' || content.kind !== 'read') continue
    const shared = kind === 'sig' ? sig : att
    const held = new Set(shared.kind === 'read' ? shared.layers.map(({ descriptor }) => layerKey(descriptor)) : [])
    const own = content.layers.find(
      ({ descriptor }) => descriptor.mediaType === legacyLayerMediaType[kind] && !held.has(layerKey(descriptor)),
    )
    if (own === undefined) continue
    const { bytes, mediaType, digest } = content.stored
    await mergeLegacyLayer(repository, subject, kind, { manifest: { bytes, mediaType, digest }, layer: own.descriptor }, options)
  }
}

async function showHidden(repository: Repository, before: Examination, options: MergeOptions & { nowMs: number }): Promise<void> {
  for (const [{ manifest }, { descriptor, bytes }] of layersOf(before, ['legacy_hidden'])) {
    if (descriptor.mediaType !== mediaTypes.simpleSigning) continue
    const created = manifest.annotations[annotationKeys.created] ?? seconds(options.nowMs)
    await writeLegacyLayer(repository, before.gathered.subject, 'sig', { bytes, descriptor, created }, options)
  }
}

function seconds(timeMs: number): string {
  return formatTime(Math.floor(timeMs / 1000) * 1000)
}
