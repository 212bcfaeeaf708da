/**
 * From the legacy layouts to bundles, without a key: attestations get a bundle around the same signature, signatures cannot and are named with
 * who has to sign again; referrers that a registry does not list, because it learnt the referrers API later, are listed.
 *
 *  1. Bundles are written as `sign` writes them, one after the other. A crash leaves those that were written; the next run goes on.
 *  2. Everything is read again: what was written must be found, with the same statement and signature.
 *  3. Only where that is asked for, and only when nothing in them would be lost, the legacy tags are removed.
 */
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, legacyTag, mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { formatTime } from '@countersign/core/trust/time-range'
import { isBundleMediaType } from '../discover/entity.ts'
import type { Repository, RepositoryReader } from '../registry/repository.ts'
import { writeBundle } from '../write/bundle-writer.ts'
import type { MergeOptions } from '../write/merge.ts'
import { bundleAround, sameEnvelope } from './bundle-around.ts'
import { examineSignatures, type Examination, rightDescriptors } from './examine.ts'
import type { ExaminedLayer, ExaminedManifest, Gathered } from './gather.ts'
import { mendIndex } from './mend-index.ts'
import { listAgain } from './repair.ts'

/** One legacy signature or attestation, and what becomes of it. */
export type SignatureMigration = {
  /** Digest of its blob. */
  readonly blob: Digest
  readonly entity: SignedEntity
  /** Absent for a signature, which has none. */
  readonly predicateType?: string
} &
  /** A bundle around it; `there` when one exists already. */
  (
    | { readonly kind: 'wrap'; readonly bytes: Uint8Array; readonly there: boolean; readonly notes: readonly string[] }
    /** Its signer has to sign again. */
    | { readonly kind: 'sign_again'; readonly why: string }
  )

/** What is to be done for one image. */
export type MigrationPlan = {
  readonly subject: Descriptor
  readonly migrations: readonly SignatureMigration[]
  /** Referrers that the referrers API does not list. */
  readonly unlisted: readonly Digest[]
  readonly examination: Examination
}

/** What was done. */
export type Migrated = {
  /** Digests of the manifests that were written. */
  readonly written: readonly Digest[]
  readonly relisted: readonly Digest[]
  /** Tags that were removed. */
  readonly removed: readonly string[]
}

/** Looks what there is to migrate. Failures of the registry are in `examination.gathered.unreadable`. */
export async function planMigration(repository: RepositoryReader, subject: Descriptor): Promise<MigrationPlan> {
  const examination = await examineSignatures(repository, subject.digest, true)
  const { gathered, findings } = examination
  const bundles = entitiesOf([...gathered.referrers.values()], isBundleMediaType).map(({ entity }) => entity)
  const migrations = new Map<string, SignatureMigration>()
  for (const { entity, descriptor } of legacyLayers(gathered)) {
    const key = `${descriptor.digest} ${JSON.stringify(descriptor.annotations ?? {})}`
    migrations.set(key, migrationOf(entity, descriptor.digest, bundles))
  }
  const unlisted = findings.filter(({ code }) => code === 'referrer_unlisted').map(({ place }) => place as Digest)
  return { subject, migrations: [...migrations.values()], unlisted, examination }
}

type EntityLayer = Extract<ExaminedLayer, { kind: 'entity' }>

function legacyLayers({ sig, att, writers, referrers }: Gathered): readonly EntityLayer[] {
  const manifests = [sig, att, ...writers.filter(({ kind }) => kind !== 'bundle').map(({ content }) => content), ...referrers.values()]
  return entitiesOf(manifests, (mediaType) => mediaType === mediaTypes.simpleSigning || mediaType === mediaTypes.envelope)
}

function entitiesOf(manifests: readonly ExaminedManifest[], isWanted: (mediaType: string) => boolean): readonly EntityLayer[] {
  return manifests
    .flatMap((read) => (read.kind === 'read' ? read.layers : []))
    .filter((layer) => layer.kind === 'entity')
    .filter(({ descriptor }) => isWanted(descriptor.mediaType))
}

function migrationOf(entity: SignedEntity, blob: Digest, bundles: readonly SignedEntity[]): SignatureMigration {
  const wrapping = bundleAround(entity)
  if (wrapping.kind === 'impossible') return { kind: 'sign_again', blob, entity, why: wrapping.why }
  const there = bundles.some((bundle) => sameEnvelope(bundle, entity))
  const { bytes, notes, predicateType } = wrapping
  return { kind: 'wrap', blob, entity, bytes, there, notes, predicateType }
}

/** How to migrate. */
export type MigrateOptions = MergeOptions & {
  readonly nowMs: number
  /** Remove the tags whose content is in bundles, or listed, now. */
  readonly removeLegacy: boolean
}

/** Carries a plan out. Throws `write_not_confirmed` when what was written is not found, and the failures of the registry. */
export async function migrateSignatures(repository: Repository, plan: MigrationPlan, options: MigrateOptions): Promise<Migrated> {
  const { subject, examination, migrations, unlisted } = plan
  if (unlisted.length > 0) await listAgain(repository, examination)
  // A bundle that an interrupted run left under its writer's tag is not written twice; it is listed.
  if (isHalfListed(examination)) {
    await mendIndex(repository, subject.digest, { right: rightDescriptors(examination.gathered), gone: new Set() }, options)
  }
  const written: Digest[] = []
  const { api } = examination.gathered
  for (const migration of migrations) {
    if (migration.kind !== 'wrap' || migration.there) continue
    const parts = {
      subject,
      bundle: migration.bytes,
      predicateType: migration.predicateType ?? '',
      created: formatTime(Math.floor(options.nowMs / 1000) * 1000),
    }
    const { manifest } = await writeBundle(repository, parts, { ...options, ...(api === undefined ? {} : { referrers: api.kind }) })
    written.push(manifest)
  }
  const after = await planMigration(repository, subject)
  const lost = after.migrations.find((one) => one.kind === 'wrap' && !one.there)
  if (lost !== undefined || after.unlisted.length > 0 || isHalfListed(after.examination)) {
    throw new CountersignError('write_not_confirmed', `${repository.name} does not show what was just written to it`, {
      expected: lost === undefined ? 'every bundle in the list of referrers' : `a bundle around ${lost.blob}`,
      hint: 'Run it again: nothing was removed.',
    })
  }
  const removed = options.removeLegacy ? await removeLegacy(repository, after) : []
  return { written, relisted: unlisted, removed }
}

function isHalfListed({ findings }: Examination): boolean {
  return findings.some(
    ({ code, severity }) => severity === 'error' && (code === 'fallback_index_missing' || code === 'fallback_entry_missing'),
  )
}

/** Removes tags that hold nothing which is not elsewhere. A tag that somebody wrote meanwhile has another digest and stays. */
async function removeLegacy(repository: Repository, after: MigrationPlan): Promise<readonly string[]> {
  const { gathered } = after.examination
  const subject = gathered.subject
  const all = after.migrations.filter(({ entity }) => entity.content.kind === 'dsse')
  const removed: string[] = []
  const remove = async (tag: string, read: ExaminedManifest): Promise<void> => {
    if (read.kind !== 'read') return
    const now = await repository.resolve({ tag })
    if (now?.digest !== read.stored.digest) return
    await deleteTag(repository, tag, now.digest)
    removed.push(tag)
  }
  if (gathered.unreadable.length === 0 && all.every((one) => one.kind === 'wrap' && one.notes.length === 0) && onlyEntities(gathered.att)) {
    await remove(legacyTag(subject, 'att'), gathered.att)
    for (const { tag, kind, content } of gathered.writers) if (kind === 'att') await remove(tag, content)
  }
  const { index, api } = gathered
  if (api?.kind === 'listed' && index.stored !== undefined && index.problem === undefined) {
    const listed = new Set(api.manifests.map(({ digest }) => digest))
    if (index.entries.every(({ digest }) => listed.has(digest))) {
      await remove(fallbackTag(subject), { kind: 'read', stored: index.stored, manifest: emptyIndex, layers: [] })
    }
  }
  return removed
}

/** Some registries delete no tag by its name, only a manifest with all of its tags. */
async function deleteTag(repository: Repository, tag: string, digest: Digest): Promise<void> {
  try {
    await repository.deleteManifest({ tag })
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'write_rejected') throw cause
    await repository.deleteManifest({ digest })
  }
}

const emptyIndex = { kind: 'index', mediaType: mediaTypes.ociIndex, manifests: [], annotations: {} } as const

function onlyEntities(read: ExaminedManifest): boolean {
  return read.kind === 'read' && read.layers.every(({ kind }) => kind === 'entity')
}
