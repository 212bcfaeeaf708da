/** Names of tiles (c2sp.org/tlog-tiles, "Merkle Tree"): `tile/<L>/<N>[.p/<W>]`, N in groups of three digits, all but the last after an `x`. */

/** Hashes in a full tile, entries in a full entry bundle. */
export const tileWidth = 256

/** Tiles of this level hold roots of trees of 2^(8·level) leaves; entries have no level. */
export type TileKind = { readonly kind: 'hashes'; readonly level: number } | { readonly kind: 'entries'; readonly folder: EntryFolder }

/** Where bundles of entries are: `entries` (c2sp.org/tlog-tiles), `data` (c2sp.org/static-ct-api). */
export type EntryFolder = 'entries' | 'data'

/** One tile: its kind, number, and how many of its places are taken (1 to 256; 256 is full). */
export type TileName = TileKind & { readonly index: number; readonly width: number }

/** Levels 0 to 63 are allowed; a tree of 2^53 leaves has seven. */
const maxLevel = 63

/** The path of a tile, relative to the log. */
export function tilePath(tile: TileName): string {
  const kind = tile.kind === 'hashes' ? String(tile.level) : tile.folder
  return `tile/${kind}/${groupsOf(tile.index)}${tile.width === tileWidth ? '' : `.p/${tile.width}`}`
}

/** Reads a path as {@link tilePath} writes it; `undefined` for every other spelling. */
export function parseTilePath(path: string): TileName | undefined {
  // Seven groups hold 2^64: more than any tree has.
  const match = /^tile\/(entries|data|0|[1-9][0-9]?)\/((?:x[0-9]{3}\/){0,6}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/.exec(path)
  if (match === null) return undefined
  const [, kind, groups, partial] = match as unknown as [string, string, string, string | undefined]
  const index = Number(groups.replaceAll(/[x/]/g, ''))
  const width = partial === undefined ? tileWidth : Number(partial)
  // A first group of zeros, or a partial tile as wide as a full one, would be a second name of one tile.
  if (!Number.isSafeInteger(index) || groupsOf(index) !== groups || (partial !== undefined && width >= tileWidth)) return undefined
  if (kind === 'entries' || kind === 'data') return { kind: 'entries', folder: kind, index, width }
  const level = Number(kind)
  return level > maxLevel ? undefined : { kind: 'hashes', level, index, width }
}

/** How many places of a tile are taken in a tree of `size` leaves; 0 when it has no such tile. Entries are as many as hashes of level 0. */
export function widthInTree(size: number, level: number, index: number): number {
  const hashes = Math.floor(size / tileWidth ** level)
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth))
}

function groupsOf(index: number): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const groups = padded.match(/.{3}/g) as string[]
  return groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/')
}
