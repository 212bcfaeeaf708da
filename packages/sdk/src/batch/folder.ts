/** Folders of files, each with its signatures beside it. */
import type { Dirent } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { unreadableFile } from '../file-failure.ts'
import { type EvidenceIndex, indexEvidence, isEvidenceName } from './evidence.ts'
import { type BatchItem, maxBatchItems } from './model.ts'
import { once, type Once } from './once.ts'

const maxDepth = 64

/** Why a signature of one file is skipped where another signature vouches for all. */
export const besideReason = 'a signature of the file beside it'

/** How a folder is read. */
export type FolderOptions = {
  /** The signatures of all files together; without them each file has its own beside it. */
  readonly evidence?: readonly string[]
}

type Reading = {
  readonly folder: string
  readonly root: string
  readonly shared: readonly string[] | undefined
  readonly apart: ReadonlySet<string>
  readonly items: BatchItem[]
  readonly memory: Once
}

/**
 * Every file below a folder in the order of its names, the signatures left out; where one signature vouches for all files, those beside single
 * files are skipped items. Signing a folder leaves out the same. Links are not followed: one that leads out of the folder is a
 * failed item, as is one to a signature; one that stays in it is skipped, for what it leads to is verified itself. Throws `limit_exceeded`
 * beyond 100,000 files or 64 levels, `file_not_found`, `io_failed`.
 */
export async function readFolder(folder: string, options: FolderOptions = {}): Promise<readonly BatchItem[]> {
  const root = await realpath(folder).catch((cause: unknown) => {
    throw unreadableFile(folder, cause)
  })
  const shared = options.evidence
  const apart = new Set(await Promise.all((shared ?? []).map((path) => realpath(path).catch(() => path))))
  const reading: Reading = { folder, root, shared, apart, items: [], memory: once() }
  await readLevel(reading, folder, root, 0)
  return reading.items
}

async function readLevel(reading: Reading, path: string, real: string, depth: number): Promise<void> {
  const { folder, items } = reading
  if (depth > maxDepth)
    throw new CountersignError('limit_exceeded', `${folder} is more than ${maxDepth} levels deep`, { found: path.slice(0, 200) })
  const entries = await readdir(path, { withFileTypes: true }).catch((cause: unknown) => {
    throw unreadableFile(path, cause)
  })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  const index = indexEvidence(new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name)))
  const signatures = new Set([...index.values()].flat())
  for (const entry of entries) {
    if (entry.isDirectory()) await readLevel(reading, join(path, entry.name), join(real, entry.name), depth + 1)
    else if (items.length >= maxBatchItems) throw new CountersignError('limit_exceeded', `${folder} holds more than ${maxBatchItems} files`)
    else if (!signatures.has(entry.name)) await readEntry(reading, entry, join(path, entry.name), join(real, entry.name), index)
    else if (reading.shared !== undefined && !reading.apart.has(join(real, entry.name)))
      items.push({ kind: 'skipped', type: 'file', subject: join(path, entry.name), demands: {}, reason: besideReason })
  }
}

async function readEntry(reading: Reading, entry: Dirent, path: string, real: string, index: EvidenceIndex): Promise<void> {
  const { shared, apart, items } = reading
  const item = { subject: path, demands: {} }
  if (entry.isSymbolicLink()) items.push(await linkItem(reading, path))
  else if (!entry.isFile()) {
    const failure = new CountersignError('io_failed', `${path} is no regular file`, { hint: 'Move it out of the folder.' })
    items.push({ kind: 'failed', type: 'file', ...item, failure })
  } else if (shared !== undefined) {
    if (!apart.has(real)) items.push({ kind: 'file', ...item, path, evidence: { kind: 'files', paths: shared } })
  } else {
    const paths = (index.get(entry.name) ?? []).map((name) => path.slice(0, -entry.name.length) + name)
    items.push({ kind: 'file', ...item, path, evidence: paths.length === 0 ? { kind: 'beside' } : { kind: 'files', paths } })
  }
}

/** Whoever deploys the folder follows the link: where it leads must have been verified, or it is refused. */
async function linkItem(reading: Reading, path: string): Promise<BatchItem> {
  const { root } = reading
  const item = { type: 'file', subject: path, demands: {} }
  const target = await realpath(path).catch(() => undefined)
  if (target === undefined || (target !== root && !target.startsWith(root + sep))) {
    const failure = new CountersignError('path_escape', `${path} is a link that leads out of the folder`, {
      hint: 'Put the file itself into the folder.',
    })
    return { kind: 'failed', ...item, failure }
  }
  const found = await stat(target)
  const to = relative(root, target) || '.'
  if (found.isFile() && (await isLeftOut(reading, path, target))) {
    const failure = new CountersignError('no_signature', `${path} is a link to the signature ${to}, which nobody signed`, {
      hint: 'Put the file itself into the folder, and its signature beside it.',
    })
    return { kind: 'failed', ...item, failure }
  }
  if (found.isFile() || found.isDirectory()) return { kind: 'skipped', ...item, reason: `a link to ${to}, which is verified itself` }
  const failure = new CountersignError('io_failed', `${path} is a link to what is no regular file`, { hint: 'Remove the link.' })
  return { kind: 'failed', ...item, failure }
}

/** Hostile: under the name of a signature of a file lies what nobody verifies unless that file is. A link must not make a program of it. */
async function isLeftOut({ apart, memory }: Reading, path: string, target: string): Promise<boolean> {
  if (apart.has(target)) return true
  // A link beside a link to the file that is signed is read by nobody but verifiers: `latest.sigstore.json`.
  if (isEvidenceName(basename(path))) return false
  const folder = dirname(target)
  const left = await memory(folder, async () => {
    const entries = await readdir(folder, { withFileTypes: true })
    return new Set([...indexEvidence(new Set(entries.filter((entry) => entry.isFile()).map(({ name }) => name))).values()].flat())
  })
  return left.has(basename(target))
}
