/** `countersign pin`: verified digests in place of tags, in all files or in none. */
import type { Digest } from '@countersign/core/digest'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { ImageMention } from '@countersign/sdk/manifests/model'
import { type PinnedFile, pinImages, splitPin } from '@countersign/sdk/manifests/pin'
import type { Invocation } from '../command/invocation.ts'
import { failureMessage, printable } from '../failure/message.ts'
import { mentionPlace, type ReadManifest, readManifest } from '../images/mentioned.ts'
import { digestOf, lookUp, lookUpReports, verifyQuietly } from '../images/pin-questions.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { failedSubject } from '../report/failed-subject.ts'
import type { SubjectReport } from '../report/schema.ts'
import { replaceFiles } from '../terminal/replace-files.ts'

/** An image in a file, and the reference that is asked about: with its digest where that is to stay. */
type Question = { readonly mention: ImageMention; readonly reference: string; readonly pinned: boolean }
/** Takes what failed: a file, or an image at its place in one. */
type Fail = (place: string | ImageMention, thrown: unknown) => void

type Asked = { readonly manifest: ReadManifest; readonly questions: readonly Question[] }

/** Pins, or with `--check` says what is not. */
export async function pin(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  demandOneMeaning(invocation)
  const failed: SubjectReport[] = []
  const fail: Fail = (place, thrown) => {
    const [subject, location] = typeof place === 'string' ? [place, undefined] : [mentionPlace(place), locationOf(place)]
    failed.push({ ...failedSubject(invocation, subject, thrown, subject), ...(location === undefined ? {} : { location }) })
  }
  const asked = await readAll(invocation, fail)
  const questions = asked.flatMap((file) => file.questions)
  const references = [...new Set(questions.map(({ reference }) => reference))]
  const answers = flags.boolean('insecure-unverified', false)
    ? await unverified(invocation, references)
    : await verifyQuietly(invocation, references)
  const byReference = new Map(answers.subjects.map((report) => [report.subject, report]))
  const subjects = (): SubjectReport[] => [...answers.subjects.map((report) => withMentions(report, questions)), ...failed]
  if (flags.boolean('check', false)) {
    await check(invocation, questions, fail)
    return { ...answers, subjects: subjects() }
  }
  const pinned: { readonly manifest: ReadManifest; readonly result: PinnedFile }[] = []
  for (const { manifest, questions: own } of asked) {
    const digests = new Map<ImageMention, Digest | undefined>(
      own.map(({ mention, reference }) => [mention, digestOf(byReference.get(reference))]),
    )
    try {
      pinned.push({ manifest, result: await pinImages(manifest, (mention) => digests.get(mention)) })
    } catch (thrown) {
      fail(manifest.file, thrown)
    }
  }
  const warned = answers.failOnWarn === true && answers.subjects.some(({ verdict }) => verdict === 'warn')
  if (warned || subjects().some(({ ok }) => !ok)) {
    terminal.err('Nothing was written.\n')
    return { ...answers, subjects: subjects() }
  }
  await write(invocation, pinned)
  await tellMoved(invocation, questions)
  return { ...answers, subjects: [...subjects(), ...pinned.map(({ manifest, result }) => fileReport(manifest, result))] }
}

function demandOneMeaning({ flags, subjects }: Invocation): void {
  const contradict = (one: string, other: string, hint: string): never => {
    throw new CountersignError('usage', `--${one} and --${other} contradict each other`, { hint })
  }
  if (flags.boolean('check', false) && flags.boolean('update', false)) contradict('check', 'update', 'Check first, then update.')
  const signer = ['key', 'policy', 'certificate-identity', 'certificate-identity-regexp'].find((name) => flags.source(name) === 'flag')
  if (flags.boolean('insecure-unverified', false) && signer !== undefined) contradict('insecure-unverified', signer, 'Verify, or do not.')
  if (subjects.includes('-') && subjects.length > 1)
    throw new CountersignError('usage', 'stdin cannot be one of several files', { hint: 'Pin it alone.' })
}

async function readAll(invocation: Invocation, fail: Fail): Promise<readonly Asked[]> {
  const asked: Asked[] = []
  for (const file of new Set(invocation.subjects)) {
    try {
      const manifest = await readManifest(invocation, file)
      const questions = manifest.images.flatMap((mention) => question(invocation, mention, fail))
      const meant = manifest.images.some(({ skip, unresolved }) => skip === undefined || unresolved === true)
      if (!meant) throw new CountersignError('images_missing', `${file} names no image`)
      asked.push({ manifest, questions })
    } catch (thrown) {
      fail(file, thrown)
    }
  }
  return asked
}

/** What is asked about an image: by its digest when that stays, by its tag when it is to be found or moved. */
function question({ flags }: Invocation, mention: ImageMention, fail: Fail): readonly Question[] {
  const { text, skip, unresolved, path } = mention
  if (skip !== undefined && unresolved !== true) return []
  if (path === 'syntax' && flags.boolean('insecure-ignore-frontend', false)) return []
  try {
    if (skip !== undefined) throw new CountersignError('image_unresolved', `it cannot be told which image is meant: ${skip}`)
    const image = parseReference(text)
    if (image.place.kind !== 'registry')
      throw new CountersignError('reference_malformed', `${JSON.stringify(text.slice(0, 200))} is not in a registry`)
    const pinned = image.digest !== undefined
    const moves = pinned && image.tag !== undefined && flags.boolean('update', false)
    return [{ mention, reference: moves ? splitPin(text).name : text, pinned }]
  } catch (thrown) {
    fail(mention, thrown)
    return []
  }
}

async function unverified(invocation: Invocation, references: readonly string[]): Promise<Conclusion> {
  const { terminal } = invocation
  terminal.warn('WARNING: --insecure-unverified: the digests are what the registry says now; nobody vouches for them.')
  const subjects = await lookUpReports(invocation, references)
  for (const { subject, failure } of subjects) if (failure !== undefined) terminal.err(failureMessage(failure, subject))
  return { subjects }
}

/** What is not pinned, and pins whose tag means something else now. Whether it is verified was asked before. */
async function check(invocation: Invocation, questions: readonly Question[], fail: Fail): Promise<void> {
  const now = await tagsNow(invocation, questions)
  for (const { mention, pinned } of questions) {
    const { name, digest } = splitPin(mention.text)
    const current = now.get(name)
    if (!pinned) fail(mention, new CountersignError('image_unpinned', `${mention.text} is not pinned to a digest`))
    else if (current instanceof CountersignError) fail(mention, current)
    else if (current !== undefined && current !== digest)
      fail(mention, new CountersignError('image_moved', `${name} has moved`, { expected: digest ?? '', found: current }))
  }
}

/** What the tags of pinned images mean now. */
function tagsNow(invocation: Invocation, questions: readonly Question[]): ReturnType<typeof lookUp> {
  const tagged = (text: string): boolean => parseReference(text).tag !== undefined
  const tags = new Set(questions.flatMap(({ mention, pinned }) => (pinned && tagged(mention.text) ? [splitPin(mention.text).name] : [])))
  return lookUp(invocation, [...tags])
}

/** A pin stays as it is until it is asked to move; whoever believes that a tag was followed must see that it was not. */
async function tellMoved(invocation: Invocation, questions: readonly Question[]): Promise<void> {
  if (invocation.flags.boolean('update', false)) return
  const now = await tagsNow(invocation, questions)
  const moved = questions.filter(({ mention, pinned }) => {
    const { name, digest } = splitPin(mention.text)
    const current = now.get(name)
    return pinned && typeof current === 'string' && current !== digest
  }).length
  if (moved === 0) return
  const what =
    moved === 1
      ? '1 image is pinned to another digest than its tag has'
      : `${moved} images are pinned to other digests than their tags have`
  invocation.terminal.err(`${what} now; --update moves ${moved === 1 ? 'it' : 'them'}.\n`)
}

async function write(
  { terminal }: Invocation,
  files: readonly { readonly manifest: ReadManifest; readonly result: PinnedFile }[],
): Promise<void> {
  const changed = files.filter(({ manifest, result }) => manifest.file !== '-' && result.changes.length > 0)
  await replaceFiles(changed.map(({ manifest, result }) => ({ path: manifest.file, before: manifest.bytes, after: utf8(result.text) })))
  for (const { manifest, result } of files) {
    const say = manifest.file === '-' ? terminal.err : terminal.out
    for (const { mention, to } of result.changes) say(`${printable(`${mention.file}:${mention.line}:${mention.column}: ${to}`)}\n`)
    if (manifest.file === '-') terminal.out(result.text)
  }
  const images = files.reduce((sum, { result }) => sum + result.changes.length, 0)
  const piped = files.some(({ manifest }) => manifest.file === '-')
  terminal.err(`Pinned ${count(images, 'image')} in ${piped ? 'what came from stdin' : count(changed.length, 'file')}.\n`)
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

function withMentions(report: SubjectReport, questions: readonly Question[]): SubjectReport {
  const own = questions.filter(({ reference }) => reference === report.subject)
  const [first] = own
  const location = first === undefined ? {} : { location: locationOf(first.mention) }
  return { ...location, ...report, mentions: own.map(({ mention }) => locationOf(mention)) }
}

function locationOf({ file, line, column, path }: ImageMention): { file: string; line: number; column: number; path: string } {
  return { file, line, column, path }
}

function fileReport({ file }: ReadManifest, { changes }: PinnedFile): SubjectReport {
  const content = changes.map(({ mention, from, to }) => ({ line: mention.line, column: mention.column, from, to }))
  return { subject: file, ok: true, ...(changes.length === 0 || file === '-' ? {} : { files: [file] }), content }
}
