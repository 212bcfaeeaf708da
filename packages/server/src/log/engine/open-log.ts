/** Opens a log: the port that its faces use, over the sequencer, the shared queue and the tiles. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { emptyRoot } from '@countersign/core/merkle/tree'
import { entryBundles, maxEntryBytes, type EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { parseTilePath, tileWidth, widthInTree } from '@countersign/core/tiles/path'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import type { Clock } from '../../base/clock.ts'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { Database } from '../../base/database/database.ts'
import type { Leases } from '../../base/leases/lease.ts'
import type { LoggedEntry, NewEntry, PublishedCheckpoint, TreeLog } from '../tree-log.ts'
import { housekeeping } from './housekeeping.ts'
import { treeFiles, type TreeFiles } from './files.ts'
import type { Cosign, Integrated, StepHook, TreeHead, Workshop } from './integrate.ts'
import { pendingQueue } from './pending.ts'
import { startSequencer, type Sequencer } from './sequencer.ts'
import { sharedQueue, type SharedQueue } from './shared-queue.ts'
import { createTree, freezeTree, indexOfIdentity, integrationTime, readTree } from './tree-store.ts'

/** Where a log is and how it signs. */
export type TreeLogOptions = {
  /** Its name in database and blob store, 1 to 32 of `a-z0-9-`: `rekor2-1`. Not its origin. */
  readonly name: string
  readonly origin: string
  readonly database: Database
  readonly blobs: BlobStore
  readonly leases: Leases
  readonly clock: Clock
  /** Signs a checkpoint: the whole note. */
  readonly sign: (head: TreeHead) => Promise<string>
  readonly cosign?: Cosign
  /** How entries are laid out; default `tile/entries` of tlog-tiles. */
  readonly format?: EntryFormat
  /** Entries that may wait at once; default 4,096. */
  readonly maxOutstanding?: number
  readonly step?: StepHook
  /** Told what goes wrong where nobody waits for an answer. */
  readonly failed?: (failure: unknown) => void
}

/** A log and what only its keeper asks of it. */
export type OpenTreeLog = TreeLog & {
  /** The bytes of a tile or entry bundle by its path below the log (`tile/0/000.p/7`); `undefined` outside the published tree and for other paths. */
  readonly file: (path: string) => Promise<{ readonly bytes: Uint8Array; readonly full: boolean } | undefined>
  /** Entries of a bundle of 256 in the published tree, by the bundle's number. Fails with `log_damaged`. */
  readonly bundle: (index: number) => Promise<readonly Uint8Array[]>
  /** Takes no more entries, for ever; what was decided is still published. */
  readonly freeze: () => Promise<void>
  readonly frozen: () => Promise<boolean>
  /** Why entries cannot be added now; `undefined` when they can, here or by way of another process. */
  readonly failure: () => unknown
  /** True while this process is the sequencer. */
  readonly sequencing: () => boolean
  readonly outstanding: () => number
  /** Ends after the batch at hand. */
  readonly close: () => Promise<void>
}

const sharedWaitMs = 20_000
const publishPollMs = 20

/** Makes the row of a new, empty log and signs its empty tree; nothing else ever makes one. Throws `log_exists`. */
export async function createTreeLog(options: Pick<TreeLogOptions, 'name' | 'origin' | 'database' | 'clock' | 'sign'>): Promise<void> {
  const head: TreeHead = { origin: options.origin, size: 0, rootHash: emptyRoot(serverPrimitives), timeMs: options.clock() }
  const note = await options.sign(head)
  await createTree(options.database, options.name, options.origin, { size: 0, rootHash: head.rootHash, note, signedAt: head.timeMs })
}

/**
 * Opens a log that exists and begins to sequence it as soon as the lease is free. Throws `log_missing` when it does not exist, and
 * `log_inconsistent` when its origin is another one. Damage is found by the sequencer, and told by `failure` and by what `add` rejects with.
 */
export async function openTreeLog(options: TreeLogOptions): Promise<OpenTreeLog> {
  const { name, database, clock } = options
  const row = await readTree(database, name)
  if (row.origin !== options.origin) {
    throw new CountersignError('log_inconsistent', `the log ${name} has another origin`, { expected: row.origin, found: options.origin })
  }
  const format = options.format ?? entryBundles
  const folder = `log/${name}/`
  const files = treeFiles(serverPrimitives, options.blobs, folder, format)
  const workshop = workshopOf(options, files, format)
  const maxOutstanding = options.maxOutstanding ?? 4096
  const queue = pendingQueue(maxOutstanding)
  const shared = database.kind === 'postgres' ? sharedQueue(database, row.id, clock, maxOutstanding) : undefined
  const failed = options.failed ?? ((): void => undefined)
  const keeper = housekeeping({ blobs: options.blobs, database, files, folder, format, tree: row.id, failed })
  const reader = treeReader(options, files, row.id)
  const sequencer = startSequencer({
    workshop,
    queue,
    shared,
    leases: options.leases,
    clock,
    answer: async (integrated) => answerAll(integrated, queue.settle, reader),
    published: ({ published }) => keeper.published(published),
    failed,
  })
  const checkpoint = async (): Promise<PublishedCheckpoint> => sequencer.tree()?.published ?? (await readTree(database, name)).published
  // Of another process: published before its witnesses have cosigned.
  const relied = async (): Promise<PublishedCheckpoint | undefined> => {
    const published = await checkpoint()
    return (await options.cosign?.suffices(published)) === false ? undefined : published
  }
  return {
    origin: options.origin,
    add: async (entry) => {
      demandEntry(entry)
      if (sequencer.tree() === undefined) {
        if ((await readTree(database, name)).frozen) throw new CountersignError('log_frozen', `the log ${name} takes no more entries`)
        if (shared !== undefined) return addShared(shared, entry, reader, relied)
        demandHope(sequencer)
      }
      return queue.add(entry)
    },
    checkpoint,
    entry: async (index) => {
      const published = await checkpoint()
      return index < published.size ? reader.entry(index, published) : undefined
    },
    indexOfLeaf: async (leafHash) => {
      const index = await indexOfIdentity(database, row.id, leafHash)
      // Decided is not published: the proof that the caller asks for next would be impossible.
      return index === undefined || index >= (await checkpoint()).size ? undefined : index
    },
    consistency: async (first, second) => {
      demandSizes(first, second, (await checkpoint()).size)
      return files.consistency(first, second)
    },
    file: async (path) => readPublished(files, path, (await checkpoint()).size),
    bundle: async (index) => files.entries(index, (await checkpoint()).size),
    freeze: async () => freezeTree(database, name),
    frozen: async () => (await readTree(database, name)).frozen,
    failure: () => sequencer.failure(),
    sequencing: () => sequencer.tree() !== undefined,
    outstanding: () => queue.outstanding() + (shared?.outstanding() ?? 0),
    close: async () => {
      await sequencer.close()
      await keeper.close()
    },
  }
}

function workshopOf({ name, database, clock, sign, cosign, step }: TreeLogOptions, files: TreeFiles, format: EntryFormat): Workshop {
  const parts = { name, primitives: serverPrimitives, format, database, files, clock, sign, step }
  return { ...parts, ...(cosign === undefined ? {} : { cosign }) }
}

function demandSizes(first: number, second: number, size: number): void {
  if (Number.isSafeInteger(first) && Number.isSafeInteger(second) && first >= 1 && first <= second && second <= size) return
  throw new CountersignError('proof_impossible', 'no two trees of this log have these sizes', {
    expected: `1 to ${size}`,
    found: `${first} and ${second}`,
  })
}

async function readPublished(files: TreeFiles, path: string, size: number): ReturnType<OpenTreeLog['file']> {
  const name = parseTilePath(path)
  // A tile beyond the published tree may be there already, and may never be part of it.
  if (name === undefined || name.width > widthInTree(size, name.kind === 'hashes' ? name.level : 0, name.index)) return undefined
  const bytes = await files.readWhole(name)
  return bytes === undefined ? undefined : { bytes, full: name.width === tileWidth }
}

/** Entries with their proofs, in a published tree that has them. */
type TreeReader = {
  readonly logged: (index: number, published: PublishedCheckpoint, duplicate: boolean, integratedAt?: number) => Promise<LoggedEntry>
  readonly entry: (index: number, published: PublishedCheckpoint) => Promise<LoggedEntry & { readonly data: Uint8Array }>
}

function treeReader({ database }: TreeLogOptions, files: TreeFiles, tree: number): TreeReader {
  const logged: TreeReader['logged'] = async (index, checkpoint, duplicate, integratedAt) => {
    const hashes = files.inclusionNow(index, checkpoint.size) ?? (await files.inclusion(index, checkpoint.size))
    return { index, integratedAt: integratedAt ?? (await integrationTime(database, tree, index)), checkpoint, hashes, duplicate }
  }
  return {
    logged,
    entry: async (index, published) => {
      const bundle = await files.entries(Math.floor(index / tileWidth), published.size)
      // A copy: a view would keep the whole bundle in memory for as long as the answer takes.
      const data = (bundle[index % tileWidth] as Uint8Array).slice()
      return { ...(await logged(index, published, false)), data }
    },
  }
}

async function answerAll(
  { tree, outcomes, integratedAt }: Integrated,
  settle: ReturnType<typeof pendingQueue>['settle'],
  reader: TreeReader,
): Promise<void> {
  const late: Promise<void>[] = []
  for (const { pending, index, duplicate } of outcomes) {
    if (pending.queueId !== undefined) continue
    const answer = reader.logged(index, tree.published, duplicate, duplicate ? undefined : integratedAt)
    late.push(answer.then((entry) => settle(pending, entry)))
  }
  await Promise.all(late)
}

/** An entry by way of the process that sequences. */
async function addShared(
  shared: SharedQueue,
  entry: NewEntry,
  reader: TreeReader,
  relied: () => Promise<PublishedCheckpoint | undefined>,
): Promise<LoggedEntry> {
  const deadline = performance.now() + sharedWaitMs
  const { index, duplicate } = await shared.submit(entry, sharedWaitMs)
  for (;;) {
    const published = await relied()
    if (published !== undefined && published.size > index) return reader.logged(index, published, duplicate)
    if (performance.now() > deadline)
      throw new CountersignError('log_unavailable', 'no process publishes this log', { hint: 'Try again in a few seconds.' })
    await sleep(publishPollMs)
  }
}

/** While this process recovers, entries wait; after a failure they are refused at once, and the sequencer tries again by itself. */
function demandHope(sequencer: Sequencer): void {
  const failure = sequencer.failure()
  if (failure === undefined) return
  throw new CountersignError('log_unavailable', 'the log cannot take entries now', {
    cause: failure,
    hint: 'The log of the server says why.',
  })
}

function demandEntry({ data, leafHash, identity }: NewEntry): void {
  if (data.length > maxEntryBytes) {
    throw new CountersignError('log_entry_malformed', `an entry of ${data.length} bytes`, { expected: `at most ${maxEntryBytes} bytes` })
  }
  if (leafHash.length !== 32 || identity.length !== 32) throw new CountersignError('internal', 'a hash that is not 32 bytes long')
}
