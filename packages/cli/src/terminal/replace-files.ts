/** Replaces the content of several files: all of them or none. */
import { randomBytes } from 'node:crypto'
import { open, realpath, rename, rm } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import { dirname } from 'node:path'
import { unwritableFile } from '@countersign/sdk/file-failure'
import { readBoundedFile } from '@countersign/sdk/bounded-file'
import { syncFolder } from '@countersign/sdk/durable-file'

/** A file with the bytes that it must still have, and those that it gets. */
export type Replacement = { readonly path: string; readonly before: Uint8Array; readonly after: Uint8Array }

/** Puts one file in the place of another, at once. */
export type Move = (from: string, to: string) => Promise<void>

type Staged = Replacement & { readonly target: string; readonly temporary: string }

/**
 * 1. Writes each new content beside its file, with the file's mode and owner, synced. A crash here leaves the files as they were.
 * 2. Checks that no file has changed since it was read.
 * 3. Renames one after another; when one fails, those before it get their old content back. Each is whole at any moment.
 * 4. Syncs their folders: what was reported is there after a power loss.
 *
 * A link stays a link: what it leads to is replaced. Throws `io_failed`, also when somebody else wrote in between.
 */
export async function replaceFiles(files: readonly Replacement[], move: Move = rename): Promise<void> {
  const staged: Staged[] = []
  try {
    for (const file of files) staged.push(await stage(file, file.after))
    for (const file of staged) await demandUnchanged(file)
    await renameAll(staged, move)
    for (const folder of new Set(staged.map(({ target }) => dirname(target)))) await syncFolder(folder)
  } finally {
    for (const { temporary } of staged) await rm(temporary, { force: true }).catch(() => undefined)
  }
}

async function stage(file: Replacement, content: Uint8Array): Promise<Staged> {
  const { path } = file
  let temporary: string | undefined
  try {
    const target = await realpath(path)
    await using old = await open(target, 'r+')
    const { mode, uid, gid } = await old.stat()
    const name = `${target}.${randomBytes(6).toString('hex')}.tmp`
    await using written = await open(name, 'wx', mode & 0o777)
    temporary = name
    await written.writeFile(content)
    // Only the owner of the machine may give files away; whose it becomes otherwise is whoever runs this.
    await written.chown(uid, gid).catch(() => undefined)
    await written.chmod(mode & 0o7777)
    await written.sync()
    return { ...file, target, temporary: name }
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { force: true }).catch(() => undefined)
    throw unwritableFile(path, cause)
  }
}

async function demandUnchanged({ path, target, before }: Staged): Promise<void> {
  const now = await readBoundedFile(target, before.length + 1).catch((cause: unknown) => {
    if (cause instanceof CountersignError && cause.code === 'limit_exceeded') return undefined
    throw cause
  })
  if (now !== undefined && Buffer.compare(now, before) === 0) return
  throw new CountersignError('io_failed', `${path} changed while it was worked on; nothing was written`, { hint: 'Run again.' })
}

async function renameAll(staged: readonly Staged[], move: Move): Promise<void> {
  const done: Staged[] = []
  for (const file of staged) {
    try {
      // Before it is tried: one that fails after the fact is put back too.
      done.push(file)
      await move(file.temporary, file.target)
    } catch (cause) {
      const failure = unwritableFile(file.path, cause)
      for (const other of done) await restore(other, failure)
      throw failure
    }
  }
}

async function restore(file: Staged, failure: CountersignError): Promise<void> {
  try {
    const { target, temporary } = await stage({ ...file, path: file.target }, file.before)
    await rename(temporary, target)
  } catch (cause) {
    throw new CountersignError('io_failed', `${failure.message}, and ${file.path} keeps its new content`, { cause })
  }
}
