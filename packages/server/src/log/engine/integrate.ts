/**
 * The durable steps of a batch, numbered as in docs/LIFE-OF-A-SIGNATURE.md. Step 1, reading and verifying an entry, is the face's.
 *
 * One rule holds everything together: the head decides what is in the tree (step 2), and all that follows can be done again from the staged
 * rows, by anybody, with the same bytes.
 */
import { CountersignError } from '@countersign/core/failure'
import { equalBytes } from '@countersign/core/bytes'
import type { SyncHash } from '@countersign/core/merkle/tree'
import type { EntryFormat } from '@countersign/core/tiles/entry-bundle'
import type { Clock } from '../../base/clock.ts'
import type { Database } from '../../base/database/database.ts'
import type { PublishedCheckpoint } from '../tree-log.ts'
import { placedEdge, type TreeFiles } from './files.ts'
import { leavesOf, planBatch, type Plan, type TreeState } from './plan.ts'
import type { Pending } from './pending.ts'
import { commitBatch, knownIdentities, publishCheckpoint, readTree, stagedBatches, type TreeRow } from './tree-store.ts'

/** The places around the durable steps where a fault leaves something else behind. */
export const stepPlaces = [
  'before stage',
  'after stage',
  'before tiles',
  'after tiles',
  'before sign',
  'before publish',
  'after publish',
  'before answer',
] as const

/** Called at each of {@link stepPlaces}; what it throws, or never answers, stands for a failure there. */
export type StepHook = (place: (typeof stepPlaces)[number]) => void | Promise<void>

/** A tree about to be told to the world. */
export type TreeHead = { readonly origin: string; readonly size: number; readonly rootHash: Uint8Array; readonly timeMs: number }

/** Witnesses of a log. */
export type Cosign = {
  /** Signature lines that a published checkpoint has not yet, or none; `consistency` proves it to be a continuation of any smaller tree of the log. */
  readonly lines: (checkpoint: PublishedCheckpoint, consistency: TreeFiles['consistency']) => Promise<string>
  /** Whether entries may be confirmed under the checkpoint with the lines that it has. */
  readonly suffices: (checkpoint: PublishedCheckpoint) => Promise<boolean>
}

/** What the steps work with. */
export type Workshop = {
  readonly name: string
  readonly primitives: SyncHash
  readonly format: EntryFormat
  readonly database: Database
  readonly files: TreeFiles
  readonly clock: Clock
  /** Signs a checkpoint: the whole note. */
  readonly sign: (head: TreeHead) => Promise<string>
  readonly cosign?: Cosign
  readonly step: StepHook | undefined
}

/** The tree as this sequencer knows it: decided, in tiles and published. */
export type Sequenced = { readonly id: number; readonly origin: string; readonly state: TreeState; readonly published: PublishedCheckpoint }

/** What became of each entry of a batch. */
export type EntryOutcome = { readonly pending: Pending; readonly index: number; readonly duplicate: boolean }

/** A batch that is published. */
export type Integrated = { readonly tree: Sequenced; readonly outcomes: readonly EntryOutcome[]; readonly integratedAt: number }

/** Takes a batch through steps 2 to 4. Throws `log_frozen`, `log_unavailable` (another process decides by now), or what the storage throws. */
export async function integrateBatch(workshop: Workshop, tree: Sequenced, batch: readonly Pending[]): Promise<Integrated> {
  const known = await knownIdentities(
    workshop.database,
    tree.id,
    batch.map(({ entry }) => entry.identity),
  )
  const first = tree.state.edge.size
  let next = first
  const outcomes = batch.map((pending): EntryOutcome => {
    const index = known.get(pending.key)
    return index === undefined ? { pending, index: next++, duplicate: false } : { pending, index, duplicate: true }
  })
  const fresh = outcomes.filter(({ duplicate }) => !duplicate).map(({ pending }) => pending.entry)
  const plan = planBatch(workshop.primitives, workshop.format, tree.state, leavesOf(workshop.primitives, first, fresh))
  // Hostile: whoever sets the clock back would have entries dated into the life of certificates that have ended.
  const integratedAt = Math.max(workshop.clock(), tree.published.signedAt)
  const answered = outcomes.flatMap(({ pending, index, duplicate }) =>
    pending.queueId === undefined ? [] : [{ id: pending.queueId, index, duplicate }],
  )
  if (fresh.length === 0 && answered.length === 0) return { tree, outcomes, integratedAt }
  // 2. Stage entries and indices and move the head, together: this decides. A crash before it leaves nothing, after it recovery goes on from here.
  await workshop.step?.('before stage')
  const committed = await commitBatch(workshop.database, tree.id, {
    from: { size: first, rootHash: tree.state.rootHash },
    to: { size: plan.next.edge.size, rootHash: plan.next.rootHash },
    leaves: plan.leaves,
    integratedAt,
    identities: fresh.map(({ identity }) => identity),
    answered,
  })
  if (!committed) throw await whyNot(workshop)
  await workshop.step?.('after stage')
  if (fresh.length === 0) return { tree, outcomes, integratedAt }
  await writeTiles(workshop, plan)
  const published = await publish(workshop, tree.id, tree.published, { ...tree, state: plan.next })
  return { tree: { ...tree, state: plan.next, published }, outcomes, integratedAt }
}

/** 3. Write tiles and bundles. A crash in it leaves files that nothing published speaks of; they are written again with the same bytes. */
async function writeTiles(workshop: Workshop, plan: Plan): Promise<void> {
  await workshop.step?.('before tiles')
  await workshop.files.write(plan.files)
  workshop.files.remember(plan.tiles)
  workshop.files.remember(placedEdge(plan.next.edge))
  await workshop.step?.('after tiles')
}

/**
 * 4. Sign and publish: the row is replaced only if it still holds the checkpoint that this tree grew from. A crash before it leaves a signature
 * that nobody has seen; after it, everybody sees the new tree.
 */
async function publish(
  workshop: Workshop,
  id: number,
  from: PublishedCheckpoint,
  { origin, state }: Pick<Sequenced, 'origin' | 'state'>,
): Promise<PublishedCheckpoint> {
  const head = { origin, size: state.edge.size, rootHash: state.rootHash, timeMs: Math.max(workshop.clock(), from.signedAt) }
  if (head.size < from.size) throw inconsistent(`a tree of ${head.size} entries after one of ${from.size}`)
  await workshop.step?.('before sign')
  const signed: PublishedCheckpoint = { size: head.size, rootHash: head.rootHash, note: await workshop.sign(head), signedAt: head.timeMs }
  await workshop.step?.('before publish')
  if (!(await publishCheckpoint(workshop.database, id, from, signed))) throw deposed()
  await workshop.step?.('after publish')
  return cosigned(workshop, id, signed)
}

/** Witnesses see a checkpoint only after it is durable: one that they vouch for and we forgot could not be taken back. */
async function cosigned(workshop: Workshop, id: number, signed: PublishedCheckpoint): Promise<PublishedCheckpoint> {
  const lines = (await workshop.cosign?.lines(signed, workshop.files.consistency)) ?? ''
  if (lines === '') return signed
  const more = { ...signed, note: `${signed.note}${lines}` }
  if (!(await publishCheckpoint(workshop.database, id, signed, more))) throw deposed()
  return more
}

/**
 * Makes what a crash left whole: reads the tree where the oldest staged batch begins, does steps 3 and 4 for every staged one again, and demands
 * that published tree and head come out of it.
 *
 * Throws `log_damaged` when tiles are not what was written, `log_inconsistent` when the head does not follow from what was published: nothing is
 * signed then.
 */
export async function recoverTree(workshop: Workshop): Promise<Sequenced> {
  const row = await readTree(workshop.database, workshop.name)
  const staged = await stagedBatches(workshop.database, row.id)
  const start = staged[0]?.first ?? row.head.size
  if (start > row.published.size) throw inconsistent('entries between the published tree and the head are not staged')
  let state = await workshop.files.load(start)
  demandPublished(row, state)
  for (const { first, leaves } of staged) {
    if (first !== state.edge.size) throw inconsistent(`a staged batch begins at ${first}, the tree ends at ${state.edge.size}`)
    const plan = planBatch(workshop.primitives, workshop.format, state, leaves)
    await writeTiles(workshop, plan)
    state = plan.next
    demandPublished(row, state)
  }
  if (state.edge.size !== row.head.size || !equalBytes(state.rootHash, row.head.rootHash))
    throw inconsistent('the tree is not the one that the head names')
  workshop.files.remember(placedEdge(state.edge))
  const { id, origin } = row
  const published =
    row.published.size === row.head.size
      ? await completed(workshop, id, row.published)
      : await publish(workshop, id, row.published, { origin, state })
  return { id, origin, state, published }
}

/** Hostile: without its witnesses, a log that refused an entry would confirm it to whoever asks again, or after a restart. */
async function completed(workshop: Workshop, id: number, published: PublishedCheckpoint): Promise<PublishedCheckpoint> {
  const enough = published.size === 0 || workshop.cosign === undefined || (await workshop.cosign.suffices(published))
  return enough ? published : cosigned(workshop, id, published)
}

/** The tree that was signed must be the one in the tiles: else a checkpoint after it would be a fork. */
function demandPublished({ published }: TreeRow, { edge, rootHash }: TreeState): void {
  if (edge.size !== published.size || equalBytes(rootHash, published.rootHash)) return
  throw new CountersignError('log_damaged', `the tiles of ${edge.size} entries do not give the root that was published`, {
    hint: 'Restore the data folder from a backup; the log is not continued from what is left.',
  })
}

async function whyNot(workshop: Workshop): Promise<CountersignError> {
  const { frozen } = await readTree(workshop.database, workshop.name)
  return frozen ? new CountersignError('log_frozen', `the log ${workshop.name} takes no more entries`) : deposed()
}

function deposed(): CountersignError {
  return new CountersignError('log_unavailable', 'another process has taken over this log')
}

function inconsistent(detail: string): CountersignError {
  return new CountersignError('log_inconsistent', `the log stops, it would contradict what it signed: ${detail}`)
}
