/** Finds entries over all shards: by index, by ID, by what was proposed. */
import { hashLeaf } from '@countersign/core/merkle/tree'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import { type EntryAnswer, entryAnswer } from './answer.ts'
import type { EntryId } from './entry-id.ts'
import type { Shard } from './keeper.ts'

/** The shards of a log, the active one last. */
export type Shards = readonly [...Shard[], Shard]

/** The shard that takes entries. */
export function activeShard(shards: Shards): Shard {
  return shards.at(-1) as Shard
}

/** The entry at an index over all shards. */
export async function entryAt(shards: Shards, index: number): Promise<EntryAnswer | undefined> {
  const shard = shards.findLast(({ firstIndex }) => firstIndex <= index)
  return shard === undefined ? undefined : inShard(shard, index - shard.firstIndex)
}

/** The entry with that ID; without a tree in it, of the first shard that has the leaf. */
export async function entryOf(shards: Shards, { treeId, leafHash }: EntryId): Promise<EntryAnswer | undefined> {
  for (const shard of shards) {
    if (treeId !== undefined && treeId !== shard.treeId) continue
    const index = await shard.log.indexOfLeaf(leafHash)
    const found = index === undefined ? undefined : await inShard(shard, index)
    if (found !== undefined) return found
  }
  return undefined
}

/** The entry with that body. */
export function entryWith(shards: Shards, body: Uint8Array): Promise<EntryAnswer | undefined> {
  return entryOf(shards, { leafHash: hashLeaf(serverPrimitives, body) })
}

async function inShard(shard: Shard, index: number): Promise<EntryAnswer | undefined> {
  const logged = await shard.log.entry(index)
  return logged === undefined ? undefined : entryAnswer(shard, logged.data, logged)
}
