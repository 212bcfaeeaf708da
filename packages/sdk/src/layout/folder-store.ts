/** An image layout in a folder. Hostile: a layout that came from elsewhere may hold symbolic links to files of this machine. */
import { constants, type Dirent } from 'node:fs'
import { open, opendir, realpath, stat, type FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { digestAlgorithm, digestHex, parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { systemCode } from '../file-failure.ts'
import { layoutLimits, type LayoutBlob, type LayoutStore } from './layout-store.ts'

/** A layout folder; the paths that its writer needs beside what readers need. */
export type FolderStore = LayoutStore & { readonly root: string; readonly blobPath: (digest: Digest) => string }

const algorithms = ['sha256', 'sha384', 'sha512'] as const

/** Opens a layout folder. Throws `file_not_found` without a folder, `layout_malformed` when it is no layout of version 1.0.0. */
export async function openFolderStore(directory: string): Promise<FolderStore> {
  const name = `oci:${directory}`
  const root = await realRoot(directory, name)
  await checkVersion(root, name)
  const blobPath = (digest: Digest): string => join(root, 'blobs', digestAlgorithm(digest), digestHex(digest))
  return {
    name,
    root,
    blobPath,
    index: () => readSmall(join(root, 'index.json'), name),
    blob: async (digest) => openBlob(root, digest, blobPath(digest), name),
    blobs: () => listBlobs(root, name),
    version: async () => {
      const times = await Promise.all(algorithms.map((algorithm) => modified(join(root, 'blobs', algorithm))))
      return times.join(' ')
    },
  }
}

async function realRoot(directory: string, name: string): Promise<string> {
  try {
    return await realpath(resolve(directory))
  } catch (cause) {
    throw new CountersignError('file_not_found', `${name} does not exist`, { cause })
  }
}

async function checkVersion(root: string, name: string): Promise<void> {
  const { value } = parseJsonAs('layout_malformed', `${name}: oci-layout`, fromUtf8(await readSmall(join(root, 'oci-layout'), name)))
  const version = typeof value === 'object' && value !== null && 'imageLayoutVersion' in value ? value.imageLayoutVersion : undefined
  if (version === '1.0.0') return
  throw new CountersignError('layout_malformed', `${name} is no image layout of a known version`, { expected: 'imageLayoutVersion 1.0.0' })
}

/** A regular file that is no link, opened for reading. `undefined` when it is not there; throws `layout_escape` for a link. */
export async function openRegular(path: string, name: string): Promise<{ readonly file: FileHandle; readonly size: number } | undefined> {
  let file: FileHandle
  try {
    // O_NONBLOCK: a named pipe in place of a blob would make us wait for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'ELOOP' || code === 'EMLINK') throw escape(name, path)
    throw new CountersignError('layout_unreadable', `${name}: cannot read ${path}`, { cause })
  }
  const found = await file.stat()
  if (found.isFile()) return { file, size: found.size }
  await file.close()
  throw new CountersignError('layout_malformed', `${name}: ${path} is not a regular file`)
}

async function openBlob(root: string, digest: Digest, path: string, name: string): Promise<LayoutBlob | undefined> {
  await checkInside(root, digestAlgorithm(digest), name)
  const found = await openRegular(path, name)
  if (found === undefined) return undefined
  await found.file.close()
  return { size: found.size, content: () => readFileOnce(path, name) }
}

async function* readFileOnce(path: string, name: string): AsyncIterable<Uint8Array> {
  const found = await openRegular(path, name)
  if (found === undefined) throw new CountersignError('layout_malformed', `${name}: ${path} vanished`)
  yield* found.file.createReadStream({ highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>
}

/** The folders above a blob may be links too. */
async function checkInside(root: string, algorithm: string, name: string): Promise<void> {
  const expected = join(root, 'blobs', algorithm)
  let found: string
  try {
    found = await realpath(expected)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return
    throw new CountersignError('layout_unreadable', `${name}: cannot read ${expected}`, { cause })
  }
  if (found !== expected) throw escape(name, expected)
}

async function* listBlobs(root: string, name: string): AsyncIterable<{ readonly digest: Digest; readonly size: number }> {
  for (const algorithm of algorithms) {
    await checkInside(root, algorithm, name)
    const folder = join(root, 'blobs', algorithm)
    for await (const entry of entriesOf(folder, name)) {
      const digest = parseDigest(`${algorithm}:${entry.name}`)
      if (digest === undefined || !entry.isFile()) continue
      const size = await sizeOf(join(folder, entry.name), name)
      if (size !== undefined) yield { digest, size }
    }
  }
}

async function* entriesOf(folder: string, name: string): AsyncIterable<Dirent> {
  try {
    yield* await opendir(folder)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return
    const code = systemCode(cause) === 'ENOTDIR' ? 'layout_malformed' : 'layout_unreadable'
    throw new CountersignError(code, `${name}: cannot list ${folder}`, { cause })
  }
}

/** `undefined` when the file has vanished since it was listed. */
async function sizeOf(path: string, name: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined
    throw new CountersignError('layout_unreadable', `${name}: cannot read ${path}`, { cause })
  }
}

async function readSmall(path: string, name: string): Promise<Uint8Array> {
  const found = await openRegular(path, name)
  if (found === undefined) throw new CountersignError('layout_malformed', `${name} is no image layout: ${path} is missing`)
  try {
    if (found.size > layoutLimits.manifest) throw new CountersignError('limit_exceeded', `${name}: ${path} is too large`)
    return await found.file.readFile()
  } finally {
    await found.file.close()
  }
}

async function modified(path: string): Promise<string> {
  try {
    return String((await stat(path, { bigint: true })).mtimeNs)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return ''
    throw cause
  }
}

function escape(name: string, path: string): CountersignError {
  return new CountersignError('layout_escape', `${name}: ${path} is a link, which may lead out of the layout`)
}
