/**
 * `initialize` and `refresh`: from a root that is trusted to a store that verifications read offline.
 *
 *  1. Everything is fetched and checked in a folder of its own, which starts with what the store knows (so that older metadata is noticed).
 *     A crash leaves that folder; the next run deletes it.
 *  2. Under a lock, and unless another run has stored newer metadata meanwhile, each file is put into the store as a whole: root, timestamp,
 *     snapshot, targets, then the targets themselves. A crash in between leaves metadata beside an older target, which readers refuse
 *     (`content_altered`), and which the next run completes.
 *  3. `remote.json` names the mirror. Before that, nothing of a first run is in force.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { TufRole } from '@countersign/core/tuf/model'
import { readFileIfThere } from '../bounded-file.ts'
import { writeDurably } from '../durable-file.ts'
import { withLock } from '../layout/layout-lock.ts'
import { fetchMetadata } from './fetch-metadata.ts'
import { initialRoot, type InitialRoot, type RootSource } from './initial-root.ts'
import { type MirrorOptions, openMirror, parseMirrorUrl } from './mirror.ts'
import { lastTimestampJson, mirrorFolderName, readRole, storedFreshness, tufLimits, tufRoles } from './store.ts'

/** What to initialize. */
export type InitializeRequest = RootSource & {
  /** The store: `TUF_ROOT`, or `~/.sigstore/root`. */
  readonly folder: string
  /** URL of the mirror. */
  readonly mirror: string
  readonly nowMs: number
}

/** What the store holds now. */
export type Initialized = {
  readonly mirror: string
  readonly mirrorFolder: string
  readonly rootSource: InitialRoot['source']
  readonly versions: Readonly<Record<TufRole, number>>
  /** When the first of the metadata expires, Unix milliseconds, and which that is. */
  readonly expiresMs: number
  readonly expiresFirst: TufRole
  /** Names of the files under `targets/`. */
  readonly targets: readonly string[]
}

const abandonedMs = 60 * 60 * 1000

/**
 * Fills or refreshes the store. Throws `tuf_unreachable`, `tuf_expired`, `tuf_rolled_back`, `tuf_unsigned`, `tuf_malformed`, `content_altered`,
 * `limit_exceeded`, `trust_missing`, `usage`, `insecure_transport`, `io_failed`. On a failure the store is as it was.
 *
 * @example
 * ```ts
 * await initializeStore({ folder: '/var/lib/trust', mirror: 'https://tuf.example.org', root: 'root.json', nowMs: Date.now() }, { environment: process.env })
 * ```
 */
export async function initializeStore(request: InitializeRequest, options: MirrorOptions): Promise<Initialized> {
  const url = parseMirrorUrl(request.mirror, 'the mirror')
  const name = mirrorFolderName(url)
  if (name === undefined) throw new CountersignError('usage', 'the mirror has no name that could be a folder', { found: url.slice(0, 120) })
  const mirrorFolder = join(request.folder, name)
  const mirror = openMirror(options)
  const staging = join(request.folder, `.${name}.${randomUUID()}.tmp`)
  try {
    const root = await initialRoot(mirror, url, mirrorFolder, request)
    await prepare(staging, mirrorFolder, root.bytes)
    const targets = await fetchMetadata(mirror, url, staging)
    parseTrustedRoot(await readFile(join(staging, 'targets', 'trusted_root.json')))
    await refuseOlderRoot(staging, mirrorFolder)
    await withLock(join(request.folder, `.${name}.lock`), async () => {
      await dropAbandoned(request.folder, `.${name}.`, staging, request.nowMs)
      if (await isNewer(staging, mirrorFolder)) await publish(staging, mirrorFolder, targets)
      await writeDurably(join(request.folder, `${name}.json`), lastTimestampJson(request.nowMs))
      await writeDurably(join(request.folder, 'remote.json'), Buffer.from(JSON.stringify({ mirror: url })))
    })
    return { mirror: url, mirrorFolder, rootSource: root.source, targets, ...(await summary(mirrorFolder)) }
  } finally {
    mirror.close()
    await rm(staging, { recursive: true, force: true })
  }
}

async function prepare(staging: string, mirrorFolder: string, root: Uint8Array): Promise<void> {
  await mkdir(join(staging, 'targets'), { recursive: true })
  for (const role of tufRoles) {
    const known = role === 'root' ? root : await readFileIfThere(join(mirrorFolder, `${role}.json`), tufLimits[role])
    if (known !== undefined) await writeFile(join(staging, `${role}.json`), known)
  }
}

/** A root that was named may be older than the one that is stored; what the mirror then has must lead at least as far. */
async function refuseOlderRoot(staging: string, mirrorFolder: string): Promise<void> {
  const [now, before] = [await readRole(staging, 'root'), await readRole(mirrorFolder, 'root')]
  if (now === undefined || before === undefined || now.version >= before.version) return
  throw new CountersignError('tuf_rolled_back', 'the mirror shows an older root than the one that is stored', {
    expected: `version ${before.version} or later`,
    found: `version ${now.version}`,
    hint: `If the mirror was set up anew, delete ${mirrorFolder} and initialize again.`,
  })
}

/** Whether nobody else has stored newer metadata while ours was on its way. */
async function isNewer(staging: string, mirrorFolder: string): Promise<boolean> {
  for (const role of ['root', 'timestamp'] as const) {
    const [now, before] = [await readRole(staging, role), await readRole(mirrorFolder, role)]
    if (before === undefined || (now?.version ?? 0) > before.version) return true
    if ((now?.version ?? 0) < before.version) return false
  }
  return true
}

async function publish(staging: string, mirrorFolder: string, targets: readonly string[]): Promise<void> {
  for (const role of tufRoles) await writeDurably(join(mirrorFolder, `${role}.json`), await readFile(join(staging, `${role}.json`)))
  for (const name of targets) {
    await writeDurably(join(mirrorFolder, 'targets', name), await readFile(join(staging, 'targets', name)))
  }
}

/** What a killed run left; a running one is younger. */
async function dropAbandoned(folder: string, prefix: string, own: string, nowMs: number): Promise<void> {
  for (const entry of await readdir(folder)) {
    const path = join(folder, entry)
    if (!entry.startsWith(prefix) || !entry.endsWith('.tmp') || path === own) continue
    const { mtimeMs } = await stat(path)
    if (nowMs - mtimeMs > abandonedMs) await rm(path, { recursive: true, force: true })
  }
}

async function summary(mirrorFolder: string): Promise<Pick<Initialized, 'versions' | 'expiresMs' | 'expiresFirst'>> {
  const freshness = await storedFreshness(mirrorFolder)
  if (freshness === undefined) throw new CountersignError('internal', `${mirrorFolder} lacks what was just stored`)
  const version = (role: TufRole): number => freshness.roles.get(role)?.version ?? 0
  const versions = {
    root: version('root'),
    timestamp: version('timestamp'),
    snapshot: version('snapshot'),
    targets: version('targets'),
  }
  return { versions, expiresMs: freshness.expiresMs, expiresFirst: freshness.role }
}
