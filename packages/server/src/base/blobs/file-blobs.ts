/**
 * Blobs as files of a folder: written to a temporary name, synced, named, the folder synced. A crash leaves at most temporaries, which the
 * next start removes.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, opendir, readFile, realpath, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { codeOf } from '../data-folder/durable-file.ts'
import { checkBlobName, checkBlobPrefix } from './blob-name.ts'
import type { BlobStore } from './blob-store.ts'
import { folderSync } from './folder-sync.ts'
import { listFiles } from './list-files.ts'

/** How a store is opened beside others, and what tests put between it and the disk. */
export type FileBlobOptions = {
  /** Another process writes here: what it has not finished is left alone. */
  readonly beside?: boolean
  /** Called with the name before each step that writes; what it throws stands for a failure of the disk. */
  readonly step?: (step: 'write' | 'sync' | 'name' | 'sync-folder', name: string) => void | Promise<void>
}

// No segment of a name begins with `~`.
const temporaries = '~new'

/**
 * Opens a store in a folder that exists (a folder that should be there and is not is `blob_store_failed`, never a new one), and removes what
 * unfinished writes left. One process writes at a time, or several of which none opens the store while others write.
 */
export async function fileBlobs(folder: string, options: FileBlobOptions = {}): Promise<BlobStore> {
  const root = await failing('open', folder, () => realpath(folder))
  const unfinished = join(root, temporaries)
  await failing('open', folder, () => prepareUnfinished(unfinished, options.beside === true))
  const step = options.step ?? (() => undefined)
  const synced = folderSync()
  const folders = knownFolders(root, synced)

  const write = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(unfinished, randomBytes(12).toString('hex'))
    const file = await open(path, 'wx', 0o644)
    try {
      await step('write', name)
      await file.writeFile(bytes)
      await step('sync', name)
      await file.datasync()
    } catch (thrown) {
      await file.close().then(() => unlink(path))
      throw thrown
    }
    await file.close()
    return path
  }
  const named = async <T>(name: string, from: string, to: string, give: (from: string, to: string) => Promise<T>): Promise<T> => {
    try {
      await step('name', name)
      return await give(from, to)
    } catch (thrown) {
      await unlink(from)
      throw thrown
    }
  }
  /** Writes under a temporary name, lets `give` name it, and makes the name durable. */
  const writing = <T>(name: string, bytes: Uint8Array, give: (from: string, to: string) => Promise<T>): Promise<T> => {
    checkBlobName(name)
    return failing('write', name, async () => {
      const path = join(root, name)
      const [from] = await Promise.all([write(name, bytes), folders.make(dirname(path))])
      const given = await named(name, from, path, give)
      await step('sync-folder', name)
      // Also when another one wrote it: that one's name may not be durable yet.
      await synced(dirname(path))
      return given
    })
  }
  return {
    put: (name, bytes) => writing(name, bytes, rename),
    create: (name, bytes) =>
      writing(name, bytes, async (from, to) => {
        const created = await linked(from, to)
        await unlink(from)
        return created
      }),
    get: async (name) => {
      checkBlobName(name)
      return failing('read', name, async () => {
        const path = join(root, name)
        if (!(await folders.exists(dirname(path)))) return undefined
        return readIfThere(path)
      })
    },
    list: (prefix) => {
      checkBlobPrefix(prefix)
      return listFiles(root, prefix, (thrown) => failed('list', prefix, thrown))
    },
    remove: async (name) => {
      checkBlobName(name)
      await failing('remove', name, async () => {
        const path = join(root, name)
        if (!(await folders.exists(dirname(path)))) return
        if (await unlinked(path)) await synced(dirname(path))
      })
    },
  }
}

/** Folders below the root that are known to be real ones: a symbolic link would lead out. */
function knownFolders(root: string, synced: (folder: string) => Promise<void>) {
  const real = new Set([root])
  const exists = async (folder: string): Promise<boolean> => {
    if (real.has(folder)) return true
    const found = await realpath(folder).catch(absent)
    if (found === undefined) return false
    if (found !== folder) throw new CountersignError('blob_store_failed', `${folder} is a symbolic link, or below one`)
    real.add(folder)
    return true
  }
  const make = async (folder: string): Promise<void> => {
    if (await exists(folder)) return
    await make(dirname(folder))
    await mkdir(folder).catch(unlessThere)
    // Whoever made it: its name must be durable before anything in it counts as durable.
    await synced(dirname(folder))
    await exists(folder)
  }
  return { exists, make }
}

async function prepareUnfinished(folder: string, keep: boolean): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch(unlessThere)
  if (keep) return
  for await (const entry of await opendir(folder)) await unlink(join(folder, entry.name))
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  const bytes = await readFile(path, { flag: constants.O_RDONLY | constants.O_NOFOLLOW }).catch(absent)
  return bytes === undefined ? undefined : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return false
    throw thrown
  }
}

async function unlinked(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (thrown) {
    absent(thrown)
    return false
  }
}

/** No such file; a folder, or below a file: no such blob either. */
function absent(thrown: unknown): undefined {
  if (!/^(ENOENT|ENOTDIR|EISDIR)$/.test(codeOf(thrown))) throw thrown
}

function unlessThere(thrown: unknown): undefined {
  if (codeOf(thrown) !== 'EEXIST') throw thrown
}

async function failing<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw failed(what, name, thrown)
  }
}

function failed(what: string, name: string, thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const code = codeOf(thrown)
  const hint = hints[code]
  return new CountersignError(
    'blob_store_failed',
    `cannot ${what} ${name}: ${code}`,
    hint === undefined ? { cause: thrown } : { cause: thrown, hint },
  )
}

const hints: Readonly<Record<string, string>> = {
  ENOSPC: 'Make room on the disk; nothing was half written.',
  EDQUOT: 'Raise the quota of the account; nothing was half written.',
  EFBIG: 'Raise the limit of the size of files.',
  EROFS: 'Mount the file system writable.',
  EIO: 'See whether the disk is failing; restore a backup on another one.',
  EACCES: 'Give the folder to the account that the server runs as.',
  EPERM: 'Give the folder to the account that the server runs as.',
  ENOENT: 'Restore the data folder from a backup; only a first start makes one.',
  EMFILE: 'Raise the limit of open files.',
}
