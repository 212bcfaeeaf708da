/** The files of a log that the walk over its entries does not meet: partial tiles of before, and those of a batch that is not published yet. */
import { equalBytes } from '@countersign/core/bytes'
import { treeHashBytes } from '@countersign/core/merkle/proof'
import { parseTilePath, tilePath, tileWidth, widthInTree, type TileName } from '@countersign/core/tiles/path'
import type { EntryFormat } from '@countersign/core/tiles/entry-bundle'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import { damaged } from './damage.ts'

/** The folder of a log. */
export type LogFolder = {
  readonly blobs: BlobStore
  /** Ends with a slash. */
  readonly folder: string
  readonly format: EntryFormat
  /** Entries in the published tree. */
  readonly size: number
}

/**
 * Proves all files below the folder after those of the published tree were proven; gives how many those others are. `planned` are the files
 * of what is decided and not published, by their path. Throws `log_altered`.
 */
export async function proveOtherFiles(place: LogFolder, planned: ReadonlyMap<string, Uint8Array>): Promise<number> {
  const { blobs, folder, format, size } = place
  const whole = wholeTiles(place)
  let count = 0
  for await (const file of blobs.list(folder)) {
    const path = file.slice(folder.length)
    if (path === 'checkpoint') continue
    const name = parseTilePath(path)
    if (name === undefined || (name.kind === 'entries' && name.folder !== format.folder)) {
      throw damaged(file, 'no log has a file of this name')
    }
    const width = widthInTree(size, levelOf(name), name.index)
    if (name.width === width) continue
    count++
    const found = await blobs.get(file)
    if (name.width > width) {
      const expected = planned.get(path)
      if (expected === undefined) throw damaged(file, 'it belongs to a larger tree than the head: the database is older than the files')
      if (found === undefined || !equalBytes(found, expected)) throw damaged(file, 'it does not hold what is staged')
      continue
    }
    const expected = await whole(name, width)
    if (found === undefined || !equalBytes(found, expected)) throw damaged(file, 'the partial tile is not the beginning of the whole one')
  }
  return count
}

/** The beginning of a proven tile, as it was when it was so wide; the last one is kept, since partial ones come in a row. */
function wholeTiles({ blobs, folder, format }: LogFolder): (name: TileName, width: number) => Promise<Uint8Array> {
  let last: { readonly path: string; readonly bytes: Uint8Array } | undefined
  return async (name, width) => {
    const path = tilePath({ ...name, width })
    if (last?.path !== path) {
      const bytes = (await blobs.get(`${folder}${path}`)) ?? (await blobs.get(`${folder}${tilePath({ ...name, width: tileWidth })}`))
      if (bytes === undefined) throw damaged(`${folder}${path}`, 'it is missing')
      last = { path, bytes }
    }
    if (name.kind === 'hashes') return last.bytes.subarray(0, name.width * treeHashBytes)
    return format.join(format.split(last.bytes).slice(0, name.width))
  }
}

function levelOf(name: TileName): number {
  return name.kind === 'hashes' ? name.level : 0
}
