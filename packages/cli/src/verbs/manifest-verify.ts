/** `countersign dockerfile verify` and `countersign manifest verify`: every image that a file mentions is verified as `verify` does. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { ImageMention, ManifestKind } from '@countersign/sdk/manifests/model'
import type { Invocation } from '../command/invocation.ts'
import { summaryLine } from '../batch/lines.ts'
import { printable } from '../failure/message.ts'
import { mentionPlace, readManifest } from '../images/mentioned.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import { sortedItems } from '../report/items.ts'
import type { SubjectReport } from '../report/schema.ts'
import { verifyImages } from './verify.ts'

/** Verifies what Dockerfiles are built from. */
export function verifyDockerfiles(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const baseOnly = flags.boolean('base-image-only', false)
  const frontend = !flags.boolean('insecure-ignore-frontend', false)
  if (!frontend)
    invocation.terminal.warn(
      'WARNING: --insecure-ignore-frontend: the image that reads the Dockerfile is not verified; it can change what is built.',
    )
  return verifyMentioned(invocation, 'dockerfile', ({ finalBase, path }) => (baseOnly ? finalBase === true : frontend || path !== 'syntax'))
}

/** Verifies what Kubernetes objects, Compose files, Helm values and lists name. */
export function verifyManifests(invocation: Invocation): Promise<Conclusion> {
  return verifyMentioned(invocation, undefined, () => true)
}

type Gathered = {
  /** References as written, each once, with the places that mention them. */
  readonly images: Map<string, ImageMention[]>
  readonly failed: SubjectReport[]
  readonly skipped: SubjectReport[]
}

async function verifyMentioned(
  invocation: Invocation,
  kind: ManifestKind | undefined,
  counts: (mention: ImageMention) => boolean,
): Promise<Conclusion> {
  const beganMs = performance.now()
  const gathered: Gathered = { images: new Map(), failed: [], skipped: [] }
  for (const file of invocation.subjects) {
    try {
      const { images } = await readManifest(invocation, file, kind)
      gather(invocation, gathered, file, images.filter(counts))
    } catch (thrown) {
      gathered.failed.push(failedSubject(invocation, file, thrown, file))
    }
  }
  const { images, failed, skipped } = gathered
  if (images.size === 0) return { subjects: [...failed, ...skipped] }
  const verified = await verifyImages({ ...invocation, subjects: [...images.keys()] })
  for (const { subject, failure } of verified.subjects) {
    if (failure !== undefined)
      for (const mention of images.get(subject) ?? [])
        invocation.terminal.err(`  ${printable(`${subject} is in ${mentionPlace(mention)}`)}\n`)
  }
  const subjects = [...verified.subjects.map((report) => placed(report, images.get(report.subject) ?? [])), ...failed, ...skipped]
  // A run over indexes has counted already.
  if (subjects.length > 1 && verified.timings === undefined)
    invocation.terminal.err(summaryLine(sortedItems(subjects).summary, Math.round(performance.now() - beganMs)))
  return { ...verified, subjects }
}

/** A file in which nothing is verified is a failure: "all images of nothing are signed" is true and says nothing. */
function gather(invocation: Invocation, { images, failed, skipped }: Gathered, file: string, mentions: readonly ImageMention[]): void {
  const { terminal, verbose } = invocation
  let named = 0
  for (const mention of mentions) {
    const { text, skip } = mention
    if (skip !== undefined && mention.unresolved !== true) {
      skipped.push({ subject: text, ok: false, type: 'container', location: locationOf(mention), skipped: skip })
      if (verbose) terminal.err(`${printable(`${mentionPlace(mention)}: ${text}: ${skip}`)}\n`)
      continue
    }
    named++
    try {
      demandImage(mention)
      images.set(text, [...(images.get(text) ?? []), mention])
    } catch (thrown) {
      failed.push(failedSubject(invocation, mentionPlace(mention), thrown, mentionPlace(mention)))
    }
  }
  if (named > 0) return
  const found = mentions.length === 0 ? 'no image' : `${mentions.length} that are no images to fetch; --verbose says which`
  failed.push(failedSubject(invocation, file, new CountersignError('images_missing', `${file} names no image`, { found }), file))
}

/** Only what is in a registry: who runs the file knows no other images. */
function demandImage({ text, skip }: ImageMention): void {
  if (skip !== undefined) throw new CountersignError('image_unresolved', `it cannot be told which image is meant: ${skip}`)
  const { place } = parseReference(text)
  if (place.kind !== 'registry')
    throw new CountersignError('reference_malformed', `${JSON.stringify(text.slice(0, 200))} is not in a registry`, {
      hint: 'Write registry/repository:tag.',
    })
}

function placed(report: SubjectReport, mentions: readonly ImageMention[]): SubjectReport {
  const [first] = mentions
  const places = mentions.map((mention) => ({
    ...locationOf(mention),
    ...(mention.object === undefined ? {} : { object: mention.object }),
  }))
  return { type: 'container', ...(first === undefined ? {} : { location: locationOf(first) }), ...report, mentions: places }
}

function locationOf({ file, line, column, path }: ImageMention): { file: string; line: number; column: number; path: string } {
  return { file, line, column, path }
}
