/** 6. What follows a publication and nobody waits for: the checkpoint as a file, and partial tiles that nobody needs any more. */
import { utf8 } from '@countersign/core/bytes'
import type { EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { tilePath, tileWidth } from '@countersign/core/tiles/path'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import type { Database } from '../../base/database/database.ts'
import type { PublishedCheckpoint } from '../tree-log.ts'
import type { TreeFiles } from './files.ts'
import { batchEnds } from './tree-store.ts'

/** What it works with. */
export type HousekeepingOptions = {
  readonly blobs: BlobStore
  readonly database: Database
  readonly files: TreeFiles
  readonly folder: string
  readonly format: EntryFormat
  readonly tree: number
  readonly failed: (failure: unknown) => void
}

/** Runs behind the sequencer, one thing at a time; what a crash leaves undone is done after the next batch, or does no harm. */
export type Housekeeping = { readonly published: (checkpoint: PublishedCheckpoint) => void; readonly close: () => Promise<void> }

/** Makes one for a tree. */
export function housekeeping(options: HousekeepingOptions): Housekeeping {
  let latest: PublishedCheckpoint | undefined
  let running: Promise<void> | undefined
  // The size up to which partial tiles are known to be removed; tiles from before the start are left to the next start of all.
  let tidy: number | undefined
  const work = async (): Promise<void> => {
    while (latest !== undefined) {
      const checkpoint = latest
      latest = undefined
      await options.blobs.put(`${options.folder}checkpoint`, utf8(checkpoint.note))
      tidy ??= Math.floor(checkpoint.size / tileWidth) * tileWidth
      tidy = await removePartials(options, tidy, checkpoint.size)
    }
  }
  return {
    published: (checkpoint) => {
      latest = checkpoint
      running ??= work()
        .catch(options.failed)
        .finally(() => {
          running = undefined
        })
    },
    close: async () => {
      await running
    },
  }
}

/**
 * Removes the partial tiles and bundles of full ones (tlog-tiles, "Partial Tiles": they may go once the full tile is there). One full tile is
 * kept whole behind: recovery may have to write it again from a partial one.
 */
async function removePartials(options: HousekeepingOptions, from: number, size: number): Promise<number> {
  const end = Math.floor(size / tileWidth) * tileWidth - tileWidth
  if (end <= from) return from
  const ends = await batchEnds(options.database, options.tree, from, end)
  await options.files.remove([...ends.flatMap((done) => lowPartials(options.format, done)), ...highPartials(from, end)])
  return end
}

/** Of the lowest level and the entries only those are written that a batch ended with. */
function lowPartials({ folder }: EntryFormat, size: number): readonly string[] {
  const [index, width] = [Math.floor(size / tileWidth), size % tileWidth]
  if (width === 0) return []
  return [tilePath({ kind: 'entries', folder, index, width }), tilePath({ kind: 'hashes', level: 0, index, width })]
}

/** Of the levels above nearly all widths are written before a tile is full, and that is rare. */
function highPartials(from: number, end: number): readonly string[] {
  const paths: string[] = []
  for (let level = 1; tileWidth ** (level + 1) <= end; level++) {
    const leaves = tileWidth ** (level + 1)
    for (let index = Math.floor(from / leaves); (index + 1) * leaves <= end; index++) {
      for (let width = 1; width < tileWidth; width++) paths.push(tilePath({ kind: 'hashes', level, index, width }))
    }
  }
  return paths
}
