/** What `copy`, `save` and `load` have in common: verify if asked to, copy, say what was carried. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { formatPlace, type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import { openImageRepositories } from '@countersign/sdk/sign/repositories'
import { type CopiedImage, copyImage, type CopyOnly } from '@countersign/sdk/transport/copy'
import { type Destination, openDestination } from '@countersign/sdk/transport/destination'
import type { CarriedAccessory } from '@countersign/sdk/transport/inventory'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { failureLine, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import type { SubjectReport } from '../report/schema.ts'
import { beginProgress } from '../terminal/progress.ts'
import { verifyBeforeCopying } from './verify-before-copying.ts'

/** One copy. */
export type Carriage = {
  readonly subject: string
  readonly source: ImageReference
  readonly destination: ImageReference
  readonly only?: readonly CopyOnly[]
  /** What to do with a destination that holds everything; the default finishes it. Gives lines to print and what the report shows beside. */
  readonly finish?: (destination: Destination, copied: CopiedImage) => Promise<FinishedCarriage>
  /** The flags to verify by, where others than those that were typed. */
  readonly verifyFlags?: FlagValues
  /** The name under which a policy judges the image; the default is that of the source, or of the destination where the source is in files. */
  readonly judgedAs?: ImageReference
  /** Of an archive that was looked into before, the digest of its index. */
  readonly archiveIndex?: Digest
}

/** What a verb adds to the summary. */
type FinishedCarriage = { readonly lines: readonly string[]; readonly content: Readonly<Record<string, string>> }

/** A copy moves layers: the three minutes that suffice for signatures do not. */
const defaultDeadlineMs = 24 * 60 * 60 * 1_000

/** Copies one image. */
export async function carryImage(invocation: Invocation, carriage: Carriage): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const { source, destination, only, archiveIndex } = carriage
  const connection = connectionFromFlags(invocation)
  const same = archiveIndex === undefined ? {} : { archiveIndex }
  const run = createRegistryRun({ ...connection, deadlineMs: connection.deadlineMs ?? defaultDeadlineMs, ...same })
  const progress = beginProgress(terminal, 'copying', undefined, 'bytes')
  let opened: Destination | undefined
  let verified: SubjectReport | undefined
  try {
    const repositories = await openImageRepositories(run, { image: source, ...signatureRepository(flags) })
    const platforms = flags.list('platform')
    const tag = destination.tag ?? (destination.place.kind === 'registry' ? undefined : source.tag)
    const copied = await copyImage(
      repositories,
      async () => (opened = await openDestination(run, destination.place, flags.boolean('force', false))).repository,
      {
        image: source,
        force: flags.boolean('force', false),
        progress: progress.advance,
        ...(tag === undefined ? {} : { tag }),
        ...(platforms.length === 0 ? {} : { platforms }),
        ...(only === undefined ? {} : { only }),
        check: async ({ digest }) => {
          checkDestinationDigest(destination, digest)
          verified = await verifyBeforeCopying(invocation, repositories, { ...carriage, digest })
        },
      },
    )
    if (opened === undefined) throw new CountersignError('internal', 'the destination was never opened')
    const finished = await (carriage.finish ?? finishPlainly)(opened, copied)
    progress.end()
    return conclude(invocation, carriage, copied, finished, verified)
  } catch (cause) {
    await opened?.abandon()
    throw cause
  } finally {
    progress.end()
    run.close()
  }
}

async function finishPlainly(destination: Destination): Promise<FinishedCarriage> {
  await destination.finish()
  return { lines: [], content: {} }
}

function checkDestinationDigest({ digest: wanted }: ImageReference, digest: string): void {
  if (wanted === undefined || wanted === digest) return
  throw new CountersignError('usage', 'the destination names another digest than that of the image', { expected: digest, found: wanted })
}

function conclude(
  { terminal }: Invocation,
  { subject, destination, only }: Carriage,
  copied: CopiedImage,
  finished: FinishedCarriage,
  verified: SubjectReport | undefined,
): Conclusion {
  const { subject: image, carried, accessories, unreadable } = copied
  const { sent, mounted, there, bytes } = carried.blobs
  const what = only === undefined ? `Copied ${image.digest}` : `Copied what refers to ${image.digest}`
  terminal.out(`${what} to ${formatPlace(destination.place)}${carried.tag === undefined ? '' : `:${carried.tag}`}\n`)
  terminal.out(`  ${carried.manifests.sent} manifests sent, ${carried.manifests.there} were there\n`)
  terminal.out(`  ${sent} blobs sent (${bytes} bytes), ${mounted} mounted, ${there} were there\n`)
  const summary = summaryOf(accessories)
  for (const { layout, kind, entries } of summary) terminal.out(`  ${layout}: ${amount(entries, kind)}\n`)
  for (const line of finished.lines) terminal.out(`${line}\n`)
  for (const failure of unreadable) terminal.err(`not copied: ${failureLine(failureText(failure))}\n`)
  const failures = unreadable.map((failure) => failureReport(failureText(failure)))
  const [failure] = failures
  const content = { carried: summary, blobs: { ...carried.blobs }, manifests: { ...carried.manifests }, ...finished.content }
  return {
    subjects: [
      {
        subject,
        ok: failure === undefined,
        digest: image.digest,
        reference: `${formatPlace(destination.place)}@${image.digest}`,
        ...(verified?.signatures === undefined ? {} : { signatures: verified.signatures }),
        content,
        unreadable: failures,
        ...(failure === undefined ? {} : { failure }),
      },
    ],
  }
}

/** One line for each layout and kind. */
type SummaryLine = Pick<CarriedAccessory, 'layout' | 'kind' | 'entries'>

/** Sums up accessories by layout and kind, in the order in which they were found. */
function summaryOf(accessories: readonly CarriedAccessory[]): readonly SummaryLine[] {
  const lines = new Map<string, SummaryLine>()
  for (const { layout, kind, entries } of accessories) {
    const key = `${layout} ${kind}`
    lines.set(key, { layout, kind, entries: (lines.get(key)?.entries ?? 0) + entries })
  }
  return [...lines.values()].toSorted((a, b) => (`${a.layout} ${a.kind}` < `${b.layout} ${b.kind}` ? -1 : 1))
}

/** `2 signatures`, in the words of the summary. */
export function amount(count: number, kind: CarriedAccessory['kind']): string {
  const noun = kind === 'sbom' ? 'SBOM' : kind === 'unreadable' ? 'entry that does not parse' : kind
  if (count === 1) return `1 ${noun}`
  return `${count} ${noun === 'entry that does not parse' ? 'entries that do not parse' : `${noun}s`}`
}

/** A layout folder or archive as typed after `--dir` or `--input`. */
export function savedPlace(flags: FlagValues, archiveFlag: 'input' | 'output'): ImageReference {
  const [directory, file] = [flags.text('dir'), flags.text(archiveFlag)]
  if ((directory === undefined) === (file === undefined)) {
    throw new CountersignError('usage', `give one of --dir and --${archiveFlag}`, { hint: `For example: --dir ./image` })
  }
  if (file === '-' || directory === '-') {
    throw new CountersignError('usage', 'an archive is a file: it is not read from stdin, nor written to stdout', { hint: 'Name a file.' })
  }
  return parseReference(directory === undefined ? `oci-archive:${file}` : `oci:${directory}`)
}
