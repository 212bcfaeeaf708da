/** A bounded memory of tiles. */
import type { Tile } from '@countersign/core/tiles/tile'

/** 512 tiles of 16 KiB: eight megabytes for each log. */
const maxTiles = 512

/** Tiles in memory. */
export type TileMemory = {
  readonly get: (level: number, index: number, width: number) => Tile | undefined
  readonly add: (level: number, index: number, tile: Tile) => void
  readonly clear: () => void
}

/** Least recently used out first; a `Map` keeps the order of insertion. */
export function tileMemory(): TileMemory {
  const tiles = new Map<string, Tile>()
  const put = (key: string, tile: Tile): void => {
    tiles.delete(key)
    tiles.set(key, tile)
    if (tiles.size <= maxTiles) return
    for (const oldest of tiles.keys()) {
      tiles.delete(oldest)
      return
    }
  }
  return {
    get: (level, index, width) => {
      const key = tileKey(level, index, width)
      const tile = tiles.get(key)
      if (tile !== undefined) put(key, tile)
      return tile
    },
    add: (level, index, tile) => put(tileKey(level, index, tile.width), tile),
    clear: () => tiles.clear(),
  }
}

/** Which tile, as wide as it was. */
export function tileKey(level: number, index: number, width: number): string {
  return `${level}/${index}.${width}`
}
