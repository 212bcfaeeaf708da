/** Writes key pairs to disk: both files or none, and never over another key by accident. */
import { randomBytes } from 'node:crypto'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { syncFolder, writeNew } from '../durable-file.ts'
import { systemCode } from '../file-failure.ts'
import type { KeyPairPem } from './generate.ts'

/** Where the pair goes. */
export type KeyPairFiles = { readonly privatePath: string; readonly publicPath: string }

const withoutLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const

type Staged = { readonly path: string; readonly temporary: string; readonly kept: string }

/**
 * Writes the private key (mode 0600) and the public key (0644).
 *
 * 1. Both are written beside their places under temporary names and synced. A crash leaves files `*.tmp`, encrypted, and no key.
 * 2. Private, then public, take their places. A crash between leaves the private key, from which the public one can be had, and with
 *    `force` the old files as `*.old.tmp`.
 *
 * Any failure undoes what was done. Without `force` an existing file stays and the call throws `file_exists`; else `io_failed`.
 */
export async function writeKeyPair(files: KeyPairFiles, pair: KeyPairPem, options: { readonly force: boolean }): Promise<void> {
  if (files.privatePath === files.publicPath) throw new CountersignError('usage', 'private and public key must be two files')
  const suffix = randomBytes(8).toString('hex')
  const stage = (path: string): Staged => ({ path, temporary: `${path}.${suffix}.tmp`, kept: `${path}.${suffix}.old.tmp` })
  const staged = [stage(files.privatePath), stage(files.publicPath)] as const
  const undo: (() => Promise<void>)[] = []
  try {
    await writeNew(staged[0].temporary, pair.privatePem, 0o600)
    await writeNew(staged[1].temporary, pair.publicPem, 0o644)
    for (const file of staged) undo.push(await (options.force ? replace(file) : place(file)))
    await syncFolders(files)
  } catch (cause) {
    for (const step of undo.toReversed()) await step()
    throw asFailure(cause)
  } finally {
    for (const { temporary } of staged) await rm(temporary, { force: true })
  }
  for (const { kept } of staged) await rm(kept, { force: true })
}

/** A hard link fails when the name exists, at once and for all: no other process can slip a file in between check and write. */
async function place({ path, temporary }: Staged): Promise<() => Promise<void>> {
  const undo = (): Promise<void> => rm(path, { force: true })
  try {
    await link(temporary, path)
  } catch (cause) {
    if (!isCode(cause, ...withoutLinks)) throw cause
    // File systems without hard links: claim the name exclusively, then put the whole file in its place.
    await (await open(path, 'wx', 0o600)).close()
    await renameOr(temporary, path, undo)
  }
  return undo
}

/** Keeps the old file under another name until all is done. */
async function replace({ path, temporary, kept }: Staged): Promise<() => Promise<void>> {
  const existed = await keep(path, kept)
  const undo = (): Promise<void> => (existed ? rename(kept, path) : rm(path, { force: true }))
  await renameOr(temporary, path, undo)
  return undo
}

async function keep(path: string, kept: string): Promise<boolean> {
  const existing = await lstat(path).catch((cause: unknown) => {
    if (isCode(cause, 'ENOENT')) return undefined
    throw cause
  })
  if (existing === undefined) return false
  if (!existing.isFile() && !existing.isSymbolicLink()) throw new CountersignError('io_failed', `${path} is no file to overwrite`)
  try {
    await link(path, kept)
    return true
  } catch (cause) {
    if (!isCode(cause, ...withoutLinks)) throw cause
    await rename(path, kept)
    return true
  }
}

async function renameOr(from: string, to: string, undo: () => Promise<void>): Promise<void> {
  try {
    await rename(from, to)
  } catch (cause) {
    await undo()
    throw cause
  }
}

/** Makes the names durable; folders cannot be synced everywhere, and a name that is lost in a power cut loses no key that was used. */
async function syncFolders(files: KeyPairFiles): Promise<void> {
  for (const folder of new Set([dirname(files.privatePath), dirname(files.publicPath)])) {
    try {
      await syncFolder(folder)
    } catch (cause) {
      if (!isCode(cause, 'EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP', 'EACCES')) throw cause
    }
  }
}

function asFailure(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause
  const path =
    cause instanceof Error && 'dest' in cause ? String(cause.dest) : cause instanceof Error && 'path' in cause ? String(cause.path) : ''
  if (isCode(cause, 'EEXIST')) {
    return new CountersignError('file_exists', `${path} exists and was left as it is`, {
      cause,
      hint: 'Choose another name, or say that it may be overwritten (on the command line with --yes).',
    })
  }
  return new CountersignError('io_failed', `cannot write the key pair: ${path}`, { cause })
}

function isCode(cause: unknown, ...codes: readonly string[]): boolean {
  return codes.includes(systemCode(cause) ?? '')
}
