/**
 * The TUF repository (TUF specification 1.0.31 §6): first metadata, new targets, renewal. All that is decided here is published by one
 * compare-and-swap (`state.ts`): a process that was overtaken reads again and decides again.
 */
import { CountersignError } from '@countersign/core/failure'
import type { TufKey, TufRole, TufRoot, TufTarget } from '@countersign/core/tuf/model'
import { readTufTargets } from '@countersign/core/tuf/read'
import { rootContent, snapshotContent, targetsContent, timestampContent, tufKey, type TufFile } from '@countersign/core/tuf/write'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Clock } from '../../base/clock.ts'
import type { Database } from '../../base/database/database.ts'
import type { KeyStore } from '../../base/keys/role-key.ts'
import type { TargetFile } from '../targets.ts'
import { demandState, hexDigest, publish, readState, type Publication, type RepositoryState } from './state.ts'
import { openTufSigners, type Signing, type TufSigners } from './signers.ts'

const dayMs = 24 * 60 * 60 * 1000

/** How long metadata counts, and how long before its end it is made anew. */
export const tufLifetimes: Readonly<Record<TufRole, { readonly validMs: number; readonly renewMs: number }>> = {
  root: { validMs: 365 * dayMs, renewMs: 182 * dayMs },
  targets: { validMs: 182 * dayMs, renewMs: 91 * dayMs },
  snapshot: { validMs: 30 * dayMs, renewMs: 15 * dayMs },
  // Signed anew every day; a server that is down for six days harms nobody.
  timestamp: { validMs: 7 * dayMs, renewMs: 6 * dayMs },
}

/** What a repository needs. */
export type RepositoryOptions = { readonly database: Database; readonly keys: KeyStore; readonly clock: Clock }

/** The keys of a first start, one of each role. */
export const firstTufKeys: Readonly<Record<TufRole, string>> = {
  root: 'tuf-root',
  targets: 'tuf-targets',
  snapshot: 'tuf-snapshot',
  timestamp: 'tuf-timestamp',
}

const attempts = 8

/**
 * Publishes the first metadata under keys of its own, which are made where they are missing. Does nothing when there is metadata already: a
 * repository is never begun twice.
 */
export async function beginRepository(options: RepositoryOptions, files: ReadonlyMap<string, TargetFile>): Promise<void> {
  if ((await readState(options.database)) !== undefined) return
  const nowMs = options.clock()
  const keys = await firstKeys(options.keys)
  const role = (name: TufRole): TufRoot['roles'][TufRole] => ({ keys: [keys[name]], threshold: 1 })
  const roles = { root: role('root'), targets: role('targets'), snapshot: role('snapshot'), timestamp: role('timestamp') }
  const root: TufRoot = { version: 1, expiresMs: nowMs + tufLifetimes.root.validMs, roles }
  const signers = await openTufSigners(options.keys)
  const rootBytes = await signers.sign(root, 'root', rootContent(root))
  const targets = await signers.sign(root, 'targets', targetsContent(1, nowMs + tufLifetimes.targets.validMs, describe(files)))
  const above = await signAbove({ root, signers, nowMs }, { version: 1, bytes: targets }, { snapshot: 1, timestamp: 1 })
  const metadata = [{ role: 'root', bytes: rootBytes }, { role: 'targets', bytes: targets }, ...above] as const
  // When another process was first, its repository is the one.
  await publish(options.database, { metadata, files: contents(files) }, nowMs)
}

async function firstKeys(keys: KeyStore): Promise<Readonly<Record<TufRole, TufKey>>> {
  const there = await keys.names()
  const of = async (role: TufRole): Promise<TufKey> => {
    const name = firstTufKeys[role]
    // A first start that was interrupted left some of them.
    const key = there.includes(name) ? await keys.open(name) : await keys.create(name, 'ec-p256')
    return tufKey(key.publicKey, serverPrimitives)
  }
  return { root: await of('root'), targets: await of('targets'), snapshot: await of('snapshot'), timestamp: await of('timestamp') }
}

/** What became of new targets: in force, unchanged since they are what is in force, or waiting for keys that are not here. */
export type TargetsResult = 'published' | 'unchanged' | 'keys_elsewhere'

/**
 * Publishes files in place of those before, if the keys of the role `targets` are here. `read` is asked after what is published was read, and
 * again when another process came in between: what that process added is never taken back. Throws `trust_missing`.
 */
export async function publishTargets(
  options: RepositoryOptions,
  read: () => Promise<ReadonlyMap<string, TargetFile>>,
): Promise<TargetsResult> {
  return untilFirst(options, async (state, signers) => {
    const { metadata } = state.published.targets
    const files = await read()
    if (sameTargets(readTufTargets(metadata), describe(files))) return { result: 'unchanged' }
    if (!signers.suffice(state.root.roles.targets)) return { result: 'keys_elsewhere' }
    const nowMs = options.clock()
    const content = targetsContent(metadata.version + 1, nowMs + tufLifetimes.targets.validMs, describe(files))
    const bytes = await signers.sign(state.root, 'targets', content)
    const above = await signAbove({ root: state.root, signers, nowMs }, { version: metadata.version + 1, bytes }, nextVersions(state))
    return { result: 'published', publication: { metadata: [{ role: 'targets', bytes }, ...above], files: contents(files) } }
  })
}

/**
 * Makes anew what is near its end: the timestamp every day, the snapshot every two weeks, targets and root where their keys are here. Gives the
 * roles that were renewed. To be called every hour; of several processes one does it.
 */
export async function renewRepository(options: RepositoryOptions): Promise<readonly TufRole[]> {
  return untilFirst(options, async (state, signers) => {
    const nowMs = options.clock()
    const due = (role: TufRole): boolean => state.published[role].metadata.expiresMs - nowMs < tufLifetimes[role].renewMs
    const metadata: { role: TufRole; bytes: Uint8Array }[] = []
    let { root } = state
    if (due('root') && signers.suffice(root.roles.root)) {
      root = { ...root, version: root.version + 1, expiresMs: nowMs + tufLifetimes.root.validMs }
      metadata.push({ role: 'root', bytes: await signers.sign(root, 'root', rootContent(root)) })
    }
    const signing: Signing = { root, signers, nowMs }
    const targets = due('targets') && signers.suffice(root.roles.targets) ? await renewedTargets(state, signing) : undefined
    if (targets !== undefined) metadata.push({ role: 'targets', bytes: targets.bytes })
    if (targets !== undefined || due('snapshot') || due('timestamp')) {
      const current = { version: state.published.targets.metadata.version, bytes: state.published.targets.bytes }
      const above = await signAbove(signing, targets ?? current, nextVersions(state))
      // A snapshot that is still good stays: only a new timestamp is made over it.
      const keep = targets === undefined && !due('snapshot')
      metadata.push(...(keep ? [await timestampOverSnapshot(state, signing)] : above))
    }
    const result = metadata.map(({ role }) => role)
    return metadata.length === 0 ? { result } : { result, publication: { metadata, files: new Map() } }
  })
}

/** The targets that are in force, under their next version. */
export async function renewedTargets(
  { published }: RepositoryState,
  { root, signers, nowMs }: Signing,
): Promise<{ readonly version: number; readonly bytes: Uint8Array }> {
  const { metadata } = published.targets
  const version = metadata.version + 1
  const content = targetsContent(version, nowMs + tufLifetimes.targets.validMs, readTufTargets(metadata))
  return { version, bytes: await signers.sign(root, 'targets', content) }
}

async function timestampOverSnapshot(
  state: RepositoryState,
  { root, signers, nowMs }: Signing,
): Promise<{ role: 'timestamp'; bytes: Uint8Array }> {
  const { metadata, bytes } = state.published.snapshot
  const { timestamp } = nextVersions(state)
  const content = timestampContent(timestamp, nowMs + tufLifetimes.timestamp.validMs, fileOf(metadata.version, bytes))
  return { role: 'timestamp', bytes: await signers.sign(root, 'timestamp', content) }
}

/** The snapshot over targets, and the timestamp over that. */
export async function signAbove(
  { root, signers, nowMs }: Signing,
  targets: { readonly version: number; readonly bytes: Uint8Array },
  versions: { readonly snapshot: number; readonly timestamp: number },
): Promise<readonly [{ role: 'snapshot'; bytes: Uint8Array }, { role: 'timestamp'; bytes: Uint8Array }]> {
  const { validMs } = tufLifetimes.snapshot
  const snapshot = await signers.sign(
    root,
    'snapshot',
    snapshotContent(versions.snapshot, nowMs + validMs, fileOf(targets.version, targets.bytes)),
  )
  const content = timestampContent(versions.timestamp, nowMs + tufLifetimes.timestamp.validMs, fileOf(versions.snapshot, snapshot))
  return [
    { role: 'snapshot', bytes: snapshot },
    { role: 'timestamp', bytes: await signers.sign(root, 'timestamp', content) },
  ]
}

/** The versions that come next. */
export function nextVersions({ published }: RepositoryState): { readonly snapshot: number; readonly timestamp: number } {
  return { snapshot: published.snapshot.metadata.version + 1, timestamp: published.timestamp.metadata.version + 1 }
}

/** Decides on what is newest and publishes it, until no other process comes in between. Throws `trust_missing`, `trust_changed_meanwhile`. */
export async function untilFirst<T>(
  options: RepositoryOptions,
  decide: (state: RepositoryState, signers: TufSigners) => Promise<{ readonly result: T; readonly publication?: Publication }>,
): Promise<T> {
  const signers = await openTufSigners(options.keys)
  for (let attempt = 0; attempt < attempts; attempt++) {
    const { result, publication } = await decide(await demandState(options.database), signers)
    if (publication === undefined || (await publish(options.database, publication, options.clock()))) return result
  }
  throw new CountersignError('trust_changed_meanwhile', 'other processes changed the TUF repository again and again', {
    hint: 'Try again.',
  })
}

/** How the metadata describes files. */
export function describe(files: ReadonlyMap<string, TargetFile>): ReadonlyMap<string, TufTarget> {
  return new Map(
    [...files].map(([name, { bytes, custom }]) => [
      name,
      { length: bytes.length, sha256: hexDigest(bytes), ...(custom === undefined ? {} : { custom }) },
    ]),
  )
}

/** The bytes alone. */
export function contents(files: ReadonlyMap<string, TargetFile>): ReadonlyMap<string, Uint8Array> {
  return new Map([...files].map(([name, { bytes }]) => [name, bytes]))
}

function sameTargets(a: ReadonlyMap<string, TufTarget>, b: ReadonlyMap<string, TufTarget>): boolean {
  const text = (targets: ReadonlyMap<string, TufTarget>): string =>
    JSON.stringify([...targets].toSorted(([one], [other]) => (one < other ? -1 : 1)))
  return text(a) === text(b)
}

function fileOf(version: number, bytes: Uint8Array): TufFile {
  return { version, length: bytes.length, sha256: hexDigest(bytes) }
}
