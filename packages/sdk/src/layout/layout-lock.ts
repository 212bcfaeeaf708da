/** One writer of `index.json` at a time, among processes: a lock file that names its holder. */
import { randomUUID } from 'node:crypto'
import { rename, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { systemCode, unwritableFile } from '../file-failure.ts'
import { openRegular } from './folder-store.ts'

const waitMs = 20_000
/** A lock of another machine is believed dead after this long; a holder needs milliseconds. */
const staleMs = 10_000
const maxLockBytes = 1024

/** Runs `work` while holding the lock at `path`. `stillHeld` tells whether nobody broke the lock meanwhile. Throws `io_failed`. */
export async function withLock<T>(path: string, work: (stillHeld: () => Promise<boolean>) => Promise<T>): Promise<T> {
  const own = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() })
  const end = performance.now() + waitMs
  while (!(await tryLock(path, own))) {
    if (performance.now() > end) {
      throw new CountersignError('io_failed', `another process holds ${path}`, {
        hint: 'Wait for it, or delete the file if no process uses the layout.',
      })
    }
    await breakIfStale(path)
    await sleep(5 + Math.random() * 20)
  }
  try {
    return await work(async () => (await content(path)) === own)
  } finally {
    if ((await content(path)) === own) await rm(path, { force: true })
  }
}

async function tryLock(path: string, own: string): Promise<boolean> {
  try {
    await writeFile(path, own, { flag: 'wx' })
    return true
  } catch (cause) {
    if (systemCode(cause) === 'EEXIST') return false
    throw unwritableFile(path, cause)
  }
}

/** Hostile: a layout may come with a lock of its own that is a pipe or a link to a device, whose reading would never end. */
async function content(path: string): Promise<string | undefined> {
  const found = await openRegular(path, 'the lock')
  if (found === undefined) return undefined
  try {
    const { buffer, bytesRead } = await found.file.read(Buffer.alloc(maxLockBytes), 0, maxLockBytes, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await found.file.close()
  }
}

/** A crash leaves the lock behind. Moving it away is atomic: of several that try, one moves it; the holder's own check does the rest. */
async function breakIfStale(path: string): Promise<void> {
  const held = await content(path)
  if (held === undefined || !(await isStale(path, held))) return
  if ((await content(path)) !== held) return
  const aside = `${path}.${randomUUID()}`
  try {
    await rename(path, aside)
    await rm(aside, { force: true })
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw cause
  }
}

async function isStale(path: string, held: string): Promise<boolean> {
  const match = /^\{"pid":([0-9]{1,10}),"host":"([^"]*)"/.exec(held)
  if (match !== null && match[2] === hostname()) return !isAlive(Number(match[1]))
  try {
    return Date.now() - (await stat(path)).mtimeMs > staleMs
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return false
    throw cause
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return systemCode(cause) !== 'ESRCH'
  }
}
