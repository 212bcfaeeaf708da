/** How the engine keeps a certificate transparency log (c2sp.org/static-ct-api): the layout of its data tiles and the form of its checkpoints. */
import { joinBytes } from '@countersign/core/bytes'
import { signCtCheckpoint } from '@countersign/core/note/ct-checkpoint'
import type { EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { parseDataTile } from '@countersign/core/x509/ct-leaf'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { RoleKey } from '../../base/keys/role-key.ts'
import type { TreeHead } from '../engine/integrate.ts'

/** Leaves one after the other: each says itself where it ends. */
export const ctTileFormat: EntryFormat = {
  folder: 'data',
  join: joinBytes,
  split: (tile) => parseDataTile(tile).map(({ bytes }) => bytes),
}

/** Signs the checkpoints of a log with its key, P-256. */
export function ctTreeOptions(key: RoleKey): { readonly sign: (head: TreeHead) => Promise<string>; readonly format: EntryFormat } {
  return {
    sign: async ({ origin, size, rootHash, timeMs }) =>
      signCtCheckpoint(serverPrimitives, { origin, size, rootHash, timestampMs: timeMs }, key),
    format: ctTileFormat,
  }
}

/** Origin of a log: the URL under which certificates are submitted, without scheme and without a slash at the end. */
export function ctOrigin(baseUrl: string): string {
  return baseUrl.replace(/^https?:\/\//, '').replace(/\/+$/, '')
}
