/** Which files a tree consists of. */
import { tileWidth, widthInTree, type EntryFolder, type TileName } from '@countersign/core/tiles/path'

/** Every tile and entry bundle of a tree of `size` entries, as wide as it is there; bundles first. */
export function* publishedTiles(size: number, folder: EntryFolder): Generator<TileName> {
  for (let index = 0; index * tileWidth < size; index++) yield { kind: 'entries', folder, index, width: widthInTree(size, 0, index) }
  for (let level = 0; tileWidth ** level <= size; level++) {
    const hashes = Math.floor(size / tileWidth ** level)
    for (let index = 0; index * tileWidth < hashes; index++) yield { kind: 'hashes', level, index, width: widthInTree(size, level, index) }
  }
}
