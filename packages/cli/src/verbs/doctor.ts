/** `countersign doctor`. */
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { formatPlace, type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { type Examination, examineSignatures, hasAccessories } from '@countersign/sdk/doctor/examine'
import type { Finding } from '@countersign/sdk/doctor/finding'
import { repairSignatures } from '@countersign/sdk/doctor/repair'
import { type ImageRepositories, withImageRepositories } from '@countersign/sdk/sign/repositories'
import { expandSubject, resolveSubject } from '@countersign/sdk/sign/subjects'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { asFailure, failureMessage, failureText, printable } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'

const maxImages = 10_000

/** What is to be said of one image. */
type Visit = {
  readonly subject: string
  readonly digest: Digest
  readonly examination: Examination
  readonly repaired: readonly Finding[]
  readonly failures: readonly CountersignError[]
}

/** Examines all images; what is found in one does not stop the others. */
export async function doctor(invocation: Invocation): Promise<Conclusion> {
  const subjects: SubjectReport[] = []
  for (const subject of invocation.subjects) {
    try {
      for (const visit of await visits(invocation, subject)) subjects.push(...conclude(invocation, visit))
    } catch (thrown) {
      const failure = failureText(asFailure(thrown))
      invocation.terminal.err(failureMessage(failure, subject))
      subjects.push({ subject, ok: false, failure: failureReport(failure) })
    }
  }
  return { subjects }
}

async function visits(invocation: Invocation, subject: string): Promise<readonly Visit[]> {
  const image = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, image), async (repositories) => {
    const found: Visit[] = []
    for (const { digest, exists } of await imagesOf(invocation, repositories, image)) {
      const name = digest === image.digest ? subject : `${formatPlace(image.place)}@${digest}`
      const isFirst = found.length === 0 && !invocation.flags.boolean('all', false)
      found.push(await visit(invocation, repositories, { subject: isFirst ? subject : name, digest, exists }))
    }
    return found
  })
}

type Target = { readonly digest: Digest; readonly exists: boolean }

/** The image, with `-r` all that it lists. One that is not there is examined all the same when its digest was given: something may refer to it. */
async function imagesOf(invocation: Invocation, repositories: ImageRepositories, image: ImageReference): Promise<readonly Target[]> {
  const { flags } = invocation
  const { images } = repositories
  if (flags.boolean('all', false)) return namedByTags(invocation, repositories, formatPlace(image.place))
  const root = await resolveSubject(images, image).catch((thrown: unknown) => {
    if (image.digest !== undefined && thrown instanceof CountersignError && thrown.code === 'artifact_not_found') return undefined
    throw thrown
  })
  if (root === undefined) return image.digest === undefined ? [] : [{ digest: image.digest, exists: false }]
  const all = flags.boolean('recursive', false) ? await expandSubject(images, root) : [root]
  return all.map(({ digest }) => ({ digest, exists: true }))
}

/** Every image that a tag of signatures names, whether or not it is there: signatures outlive images that were deleted. */
async function namedByTags(
  { terminal }: Invocation,
  { images, signatures }: ImageRepositories,
  repository: string,
): Promise<readonly Target[]> {
  const digests = new Set<Digest>()
  let tags = 0
  for await (const tag of signatures.tags()) {
    tags++
    const digest = parseDigest(/^sha(?:256|512)-[0-9a-f]{64,128}/.exec(tag)?.[0].replace('-', ':') ?? '')
    if (digest !== undefined) digests.add(digest)
    if (digests.size > maxImages) throw new CountersignError('limit_exceeded', `signatures of more than ${maxImages} images are there`)
  }
  // Nothing to examine is not the same as healthy: the name may be misspelt.
  if (tags === 0) {
    throw new CountersignError('artifact_not_found', `${repository} does not exist, or holds no tag`, {
      hint: 'Check the name of the repository, and that you may read it.',
    })
  }
  if (digests.size === 0)
    terminal.err(`${printable(repository)}: no tag names signatures, so that no image was examined; name images to examine them\n`)
  const targets: Target[] = []
  for (const digest of digests) targets.push({ digest, exists: (await images.resolve({ digest })) !== undefined })
  return targets
}

async function visit(
  { flags, terminal }: Invocation,
  { signatures }: ImageRepositories,
  { subject, digest, exists }: Target & { readonly subject: string },
): Promise<Visit> {
  const examination = await examineSignatures(signatures, digest, exists)
  if (!exists && !hasAccessories(examination.gathered) && examination.gathered.unreadable.length === 0) {
    throw new CountersignError('artifact_not_found', `${subject} does not exist, and nothing refers to it`)
  }
  const nothing = { subject, digest, examination, repaired: [], failures: [] }
  const repairs = flags.boolean('fix', false) && !flags.boolean('dry-run', false)
  if (!repairs || !examination.findings.some(({ automatic }) => automatic)) return nothing
  const { repaired, after, failures } = await repairSignatures(signatures, examination, { nowMs: terminal.nowMs })
  return { subject, digest, examination: after, repaired, failures }
}

/** One entry for the image, and one for each finding, so that SARIF and JUnit have a result for each. */
function conclude(invocation: Invocation, { subject, digest, examination, repaired, failures }: Visit): readonly SubjectReport[] {
  const { findings, gathered } = examination
  const unread = [...gathered.unreadable, ...failures]
  const left = findings.filter(({ severity }) => severity !== 'info')
  print(invocation, subject, { findings, repaired, healthy: left.length === 0 && unread.length === 0 })
  for (const failure of unread) invocation.terminal.err(failureMessage(failureText(failure), subject))
  const [failure] = unread
  const content = { healthy: left.length === 0 && unread.length === 0, findings: [...findings], repaired: [...repaired] }
  const image: SubjectReport = {
    subject,
    ok: content.healthy,
    digest,
    content,
    unreadable: unread.map((one) => failureReport(failureText(one))),
    ...(failure === undefined ? {} : { failure: failureReport(failureText(failure)) }),
  }
  return [image, ...left.map((found) => findingReport(subject, found))]
}

function findingReport(subject: string, { code, place, detail, affects, repair }: Finding): SubjectReport {
  const failure = { code, detail: `${place}: ${detail}. ${affects}`, hint: repair }
  return { subject: `${subject} ${place}`, ok: false, failure: failureReport(failure) }
}

type Printed = { readonly findings: readonly Finding[]; readonly repaired: readonly Finding[]; readonly healthy: boolean }

function print({ flags, terminal }: Invocation, subject: string, { findings, repaired, healthy }: Printed): void {
  const lines = [`${subject}: ${healthy ? 'healthy' : 'not healthy'}`]
  const wouldFix = flags.boolean('fix', false) && flags.boolean('dry-run', false)
  for (const { code, place, detail } of repaired) lines.push(`  repaired ${code}: ${place}: ${detail}`)
  for (const { severity, code, place, detail, affects, repair, automatic } of findings) {
    lines.push(`  ${severity} ${code}: ${place}: ${detail}`, `    ${affects}`)
    const how = automatic ? (wouldFix ? 'would be repaired' : 'repair with --fix') : 'by hand'
    lines.push(`    ${how}: ${repair}`)
  }
  terminal.out(lines.map((line) => `${printable(line)}\n`).join(''))
}
