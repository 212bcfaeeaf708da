/** Files in a folder of one user: read within a bound, written whole or appended to, never through somebody else's links. */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { errorCode } from '../http/failures.ts'

/** Files are marked as used at most this often, milliseconds: one hour. */
const usedMarkMs = 3_600_000

/** Begins the name of a file that is being written; what a killed process leaves is removed when it is old. */
export const unfinishedPrefix = '.new-'

/**
 * Makes a folder that only its owner may enter, unless it is there. False when it cannot be made, or is a link, or belongs to somebody else, or
 * others may write to it: then nothing is kept there.
 */
export function openPrivateFolder(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const found = lstatSync(folder)
    const own = process.getuid === undefined || found.uid === process.getuid()
    return found.isDirectory() && own && (found.mode & 0o022) === 0
  } catch (cause) {
    return notThere(cause)
  }
}

/** The bytes of a file of at most `maxBytes`; `undefined` when it is not there, larger, a link, or unreadable. Marks it as used. */
export function readPrivateFile(path: string, maxBytes: number, nowMs: number): Uint8Array | undefined {
  // A first run asks for hundreds that are not there: the error of `open` would cost far more than this question.
  if (!existsSync(path)) return undefined
  return withFile(path, constants.O_RDONLY | constants.O_NONBLOCK, (file) => {
    const found = fstatSync(file)
    if (!found.isFile() || found.size > maxBytes) return undefined
    const bytes = new Uint8Array(found.size)
    let length = 0
    for (let read = -1; length < bytes.length && read !== 0;) {
      read = readSync(file, bytes, length, bytes.length - length, length)
      length += read
    }
    if (Math.abs(nowMs - found.mtimeMs) > usedMarkMs) futimesSync(file, nowMs / 1000, nowMs / 1000)
    return bytes.subarray(0, length)
  })
}

/** Writes a file under a temporary name and renames it, so that a reader sees all of it or what was there before. False when that failed. */
export function replacePrivateFile(folder: string, name: string, bytes: Uint8Array): boolean {
  const unfinished = `${folder}/${unfinishedPrefix}${randomBytes(8).toString('hex')}`
  const written = withFile(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, (file) => writeAll(file, bytes))
  if (written !== true) return false
  try {
    renameSync(unfinished, `${folder}/${name}`)
    return true
  } catch (cause) {
    removeFile(unfinished)
    return notThere(cause)
  }
}

/** Appends in one write, which several processes may do at the same time. False when that failed. */
export function appendPrivateFile(path: string, bytes: Uint8Array): boolean {
  return withFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, (file) => writeAll(file, bytes)) === true
}

function writeAll(file: number, bytes: Uint8Array): true {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
  return true
}

function withFile<T>(path: string, flags: number, work: (file: number) => T): T | undefined {
  let file: number | undefined
  try {
    file = openSync(path, flags | constants.O_NOFOLLOW, 0o600)
    return work(file)
  } catch (cause) {
    notThere(cause)
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}

/** Removes a file that may be gone already. */
export function removeFile(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch (cause) {
    notThere(cause)
  }
}

/** A cache that cannot be read or written is an empty one: only failures of the file system are forgiven. */
export function notThere(cause: unknown): false {
  if (/^E[A-Z0-9]+$/.test(errorCode(cause))) return false
  throw cause
}
