/** From a command line to the items of a run. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { readFolder } from '@countersign/sdk/batch/folder'
import { type BatchFileKind, type BatchItem, maxBatchItems } from '@countersign/sdk/batch/model'
import { readBatchFile } from '@countersign/sdk/batch/read'
import type { Invocation } from '../command/invocation.ts'
import { asFailure } from '../failure/message.ts'
import { inFile } from '../failure/in-file.ts'
import { trustFlags } from '../flags/signer-names.ts'
import { signerFlags } from '../flags/verifying.ts'
import { givenFor } from '../images/mentioned.ts'
import { isFolder } from '../signing/blob-source.ts'
import { readInput } from '../terminal/input.ts'
import { keepHeapSmall } from './memory.ts'

const maxFileBytes = 64 * 1024 * 1024
/** What an entry of a list has, roughly. */
const entryBytes = 100
const kinds: readonly BatchFileKind[] = ['batch', 'checksums', 'images', 'kubernetes', 'compose', 'dockerfile', 'helm-values']

/** Subjects of the command line first, then what each file of `-f` lists. Throws what reading the files throws, and `usage` when there is nothing. */
export async function itemsFromFlags(invocation: Invocation, kind: 'container' | 'file'): Promise<readonly BatchItem[]> {
  const { flags, subjects } = invocation
  const files = flags.list('file')
  if (files.filter((file) => file === '-').length > 1)
    throw new CountersignError('usage', 'stdin can be read once only', { hint: 'Give - once.' })
  const bundles = flags.list('bundle')
  const items: BatchItem[] = []
  for (const [at, subject] of subjects.entries()) {
    if (kind === 'container') items.push(imageItem(subject, flags.boolean('local-image', false)))
    else items.push(...demandSome(subject, await fileItems(subject, bundlesOf(bundles, at, subjects.length, files.length))))
  }
  for (const file of files) {
    const listed = demandSome(file, await itemsOfFile(invocation, file, bundles))
    warnOfOwnTrust(invocation, file, listed)
    items.push(...listed)
  }
  if (items.length > maxBatchItems)
    throw new CountersignError('limit_exceeded', `${items.length} artifacts in one run`, { expected: `at most ${maxBatchItems}` })
  return items
}

/** Nothing to verify is no success: whoever empties a folder or a list, or leaves in it what is skipped alone, must not have it pass. */
function demandSome(from: string, items: readonly BatchItem[]): readonly BatchItem[] {
  const skipped = items.filter((item) => item.kind === 'skipped')
  if (skipped.length < items.length) return items
  const [first] = skipped
  if (first !== undefined) {
    throw new CountersignError('images_missing', `${from} names nothing to verify`, {
      found: `${skipped.length} skipped, the first of them ${JSON.stringify(first.subject.slice(0, 100))}: ${first.reason}`,
    })
  }
  throw new CountersignError('batch_malformed', `${from} names no artifact: nothing would be verified`, {
    hint: 'Check that it is the file that you mean, or say what it is with --file-kind.',
  })
}

/** Hostile: a list that brings signers of its own, given to somebody who typed whom to trust and reads "verified". */
function warnOfOwnTrust({ flags, terminal }: Invocation, file: string, items: readonly BatchItem[]): void {
  const own = items.filter(({ demands }) => Object.keys(demands).length > 0).length
  if (own === 0) return
  const typed = ['policy', ...signerFlags.map(({ name }) => name), ...trustFlags].filter((name) =>
    ['flag', 'environment'].includes(flags.source(name) ?? ''),
  )
  if (typed.length === 0) return
  const names = [...new Set(typed)].map((name) => `--${name}`).join(', ')
  terminal.warn(`WARNING: ${file}: ${own} of ${items.length} artifacts name their own signers or trust, which count before ${names}`)
}

function kindFromFlags(word: string | undefined): BatchFileKind | undefined {
  if (word === undefined) return undefined
  const kind = kinds.find((candidate) => candidate === word)
  if (kind !== undefined) return kind
  throw new CountersignError('usage', '--file-kind names no kind of file', { expected: kinds.join(', '), found: word.slice(0, 40) })
}

/** One bundle may vouch for all files; otherwise each has its own, in order. */
function bundlesOf(bundles: readonly string[], at: number, subjects: number, files: number): readonly string[] | undefined {
  if (bundles.length <= 1) return bundles.length === 0 ? undefined : bundles
  if (files === 0 && bundles.length === subjects) return bundles.slice(at, at + 1)
  throw new CountersignError('usage', 'there are not as many bundles as files', {
    expected: `${subjects} --bundle, or one`,
    found: `${bundles.length}`,
  })
}

async function itemsOfFile(invocation: Invocation, file: string, bundles: readonly string[]): Promise<readonly BatchItem[]> {
  const evidence = bundles.length === 0 ? {} : { evidence: bundles }
  if (file !== '-' && (await isFolder(file))) return readFolder(file, evidence)
  const kind = kindFromFlags(invocation.flags.text('file-kind'))
  const bytes = await readInput(file, maxFileBytes)
  await keepHeapSmall(bytes.length / entryBytes)
  const given = await givenFor(invocation, file)
  return inFile(file, () => readBatchFile({ name: file, bytes, given, ...(kind === undefined ? {} : { kind }), ...evidence }))
}

function imageItem(subject: string, local: boolean): BatchItem {
  try {
    return { kind: 'container', subject, image: parseReference(local ? `oci:${subject}` : subject), demands: {} }
  } catch (thrown) {
    return { kind: 'failed', type: 'container', subject, demands: {}, failure: asFailure(thrown) }
  }
}

async function fileItems(subject: string, bundles: readonly string[] | undefined): Promise<readonly BatchItem[]> {
  if (await isFolder(subject)) return readFolder(subject, bundles === undefined ? {} : { evidence: bundles })
  const evidence = bundles === undefined ? ({ kind: 'beside' } as const) : ({ kind: 'files', paths: bundles } as const)
  return [{ kind: 'file', subject, path: subject, demands: {}, evidence }]
}
