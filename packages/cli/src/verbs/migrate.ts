/** `countersign migrate`. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { formatPlace, type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { fulcioIdentity } from '@countersign/core/x509/fulcio'
import {
  migrateSignatures,
  type Migrated,
  type SignatureMigration,
  type MigrationPlan,
  planMigration,
} from '@countersign/sdk/doctor/migrate'
import { loadPublicKey } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import { type ImageRepositories, withImageRepositories } from '@countersign/sdk/sign/repositories'
import { expandSubject, resolveSubject } from '@countersign/sdk/sign/subjects'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { inFile } from '../failure/in-file.ts'
import { asFailure, failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'

/** Who signed, by the keys that were given: labels by the blob of the signature, and those who have signed in the bundle layout. */
type KnownSigners = { readonly byBlob: ReadonlyMap<Digest, readonly string[]>; readonly inBundles: ReadonlySet<string> }

/** What happened to one image. */
type Outcome = {
  readonly subject: string
  readonly reference: string
  readonly plan: MigrationPlan
  readonly signers: KnownSigners
  readonly done?: Migrated
}

/** Migrates all images; one that fails does not stop the others. */
export async function migrate(invocation: Invocation): Promise<Conclusion> {
  const subjects: SubjectReport[] = []
  for (const subject of invocation.subjects) {
    try {
      for (const outcome of await outcomes(invocation, subject)) subjects.push(conclude(invocation, outcome))
    } catch (thrown) {
      const failure = failureText(asFailure(thrown))
      invocation.terminal.err(failureMessage(failure, subject))
      subjects.push({ subject, ok: false, failure: failureReport(failure) })
    }
  }
  return { subjects }
}

async function outcomes(invocation: Invocation, subject: string): Promise<readonly Outcome[]> {
  const { flags, terminal } = invocation
  const image = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, image), async (repositories) => {
    const root = await resolveSubject(repositories.images, image)
    const all = flags.boolean('recursive', false) ? await expandSubject(repositories.images, root) : [root]
    const found: Outcome[] = []
    for (const one of all) {
      const plan = await planMigration(repositories.signatures, one)
      const [unread] = plan.examination.gathered.unreadable
      if (unread !== undefined) throw unread
      const signers = await knownSigners(invocation, repositories, image, one)
      const options = { nowMs: terminal.nowMs, removeLegacy: !flags.boolean('keep', true) }
      const done = flags.boolean('dry-run', false) ? {} : { done: await migrateSignatures(repositories.signatures, plan, options) }
      const reference = `${formatPlace(image.place)}@${one.digest}`
      found.push({ subject: found.length === 0 ? subject : reference, reference, plan, signers, ...done })
    }
    return found
  })
}

async function knownSigners(
  { flags, terminal }: Invocation,
  repositories: ImageRepositories,
  image: ImageReference,
  { digest }: Descriptor,
): Promise<KnownSigners> {
  const labels = flags.list('key')
  const byBlob = new Map<Digest, readonly string[]>()
  const inBundles = new Set<string>()
  if (labels.length === 0) return { byBlob, inBundles }
  const io = nodeKeyIo(terminal.environment)
  const keys = await Promise.all(labels.map(async (label) => ({ label, key: await inFile(label, () => loadPublicKey(label, io)) })))
  const notDemanded = { kind: 'not_demanded' } as const
  const policy = {
    signer: { kind: 'keys', keys },
    content: { kind: 'signature' },
    log: notDemanded,
    sct: notDemanded,
    signedTimestamp: notDemanded,
    claims: { kind: 'required' },
  } as const
  const { accepted } = await verifyImageIn(repositories, { image: { place: image.place, digest }, policy, nowMs: terminal.nowMs })
  for (const { evidence, origin } of accepted) {
    if (evidence.signer.kind !== 'key') continue
    byBlob.set(origin.blob, [...new Set([...(byBlob.get(origin.blob) ?? []), evidence.signer.label])])
    if (origin.layouts.some((layout) => layout.startsWith('bundle-'))) inBundles.add(evidence.signer.label)
  }
  return { byBlob, inBundles }
}

/** Whose signature it is, as far as anybody can tell without verifying it. */
function signerOf({ entity, blob }: SignatureMigration, { byBlob }: KnownSigners): string {
  if (entity.material.kind === 'public-key') return byBlob.get(blob)?.join(' and ') ?? 'the holder of its key'
  try {
    const { subject, issuer } = fulcioIdentity(parseCertificate(entity.material.chain[0]))
    return `${subject} (by its certificate, issuer ${issuer})`
  } catch (cause) {
    if (cause instanceof CountersignError) return 'whom its certificate names'
    throw cause
  }
}

function isDone({ blob }: SignatureMigration, { byBlob, inBundles }: KnownSigners): boolean {
  const labels = byBlob.get(blob) ?? []
  return labels.length > 0 && labels.every((label) => inBundles.has(label))
}

function conclude({ terminal }: Invocation, { subject, reference, plan, signers, done }: Outcome): SubjectReport {
  const lines = [`${subject}: ${plan.migrations.length + plan.unlisted.length === 0 ? 'nothing to migrate' : plan.subject.digest}`]
  const again: string[] = []
  const entries = plan.migrations.map((migration) => {
    const { blob } = migration
    if (migration.kind === 'wrap') {
      const state = migration.there ? 'already in a bundle' : done === undefined ? 'would be written as a bundle' : 'written as a bundle'
      lines.push(`  attestation ${migration.predicateType ?? ''} ${blob}: ${state}`, ...migration.notes.map((note) => `    ${note}`))
      return { blob, state, notes: [...migration.notes], predicateType: migration.predicateType ?? '' }
    }
    const signer = signerOf(migration, signers)
    if (isDone(migration, signers)) {
      lines.push(`  signature ${blob}: ${signer} has signed in the bundle layout too`)
      return { blob, state: 'signed in both layouts', signer }
    }
    again.push(signer)
    const verb = migration.entity.content.kind === 'dsse' ? 'attest' : 'sign'
    lines.push(`  ${verb === 'sign' ? 'signature' : 'attestation'} ${blob}: must be signed again by ${signer}`)
    lines.push(`    ${migration.why}`, `    countersign ${verb} --key KEY ${reference}`)
    return { blob, state: 'must be signed again', signer, why: migration.why }
  })
  for (const digest of plan.unlisted)
    lines.push(`  referrer ${digest}: ${done === undefined ? 'would be' : 'is now'} listed by the registry`)
  for (const tag of done?.removed ?? []) lines.push(`  removed the tag ${tag}`)
  terminal.out(lines.map((line) => `${printable(line)}\n`).join(''))
  const content = { entries, relisted: [...plan.unlisted], written: [...(done?.written ?? [])], removed: [...(done?.removed ?? [])] }
  const report = { subject, digest: plan.subject.digest, reference, content }
  if (again.length === 0) return { ...report, ok: true }
  const failure = failureReport({
    code: 'migration_incomplete',
    detail: `${again.length} of ${plan.migrations.length} must be signed again`,
    found: [...new Set(again)].join(', ').slice(0, 300),
    hint: `Have them run "countersign sign" on ${reference}.`,
  })
  return { ...report, ok: false, failure }
}
