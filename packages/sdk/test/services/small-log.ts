/** A transparency log in memory: a tree of leaves that a test chooses, its checkpoint and its tiles, as files of c2sp.org/tlog-tiles. */
import { createHash } from 'node:crypto'
import { hashLeaf, type SyncHash } from '@countersign/core/merkle/tree'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import { noteKeyId } from '@countersign/core/note/key-id'
import { appendLeaves, edgeRoot, emptyEdge, type PlacedTile } from '@countersign/core/tiles/append'
import { tilePath, tileWidth } from '@countersign/core/tiles/path'
import { tileBytes } from '@countersign/core/tiles/tile'
import type { LogInstance } from '@countersign/core/trust/model'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { testSigner } from '@countersign/testkit/image-fixture'

const hashing: SyncHash = { hash: (algorithm, data) => new Uint8Array(createHash(algorithm).update(data).digest()) }

/** The log: what a trusted root says of it, and its files by path below `api/v2/`. */
export type SmallLog = { readonly instance: LogInstance; readonly files: ReadonlyMap<string, Uint8Array> }

/** Makes a log of `size` leaves, with `body` at `index`. */
export async function smallLog(size: number, index: number, body: Uint8Array): Promise<SmallLog> {
  const key = testSigner('ed25519')
  const leaves = Array.from({ length: size }, (_, i) => hashLeaf(hashing, i === index ? body : Uint8Array.of(i & 255, i >> 8)))
  const { edge, tiles } = appendLeaves(hashing, emptyEdge, leaves)
  const origin = 'log.example'
  const signer = await logNoteSigner(nodePrimitives, origin, key.publicKey, key.signMessage)
  const note = await signCheckpoint({ origin, size, rootHash: edgeRoot(hashing, edge) }, [signer])
  const files = new Map([['checkpoint', new TextEncoder().encode(note)], ...tiles.map(fileOf)])
  const instance: LogInstance = {
    baseUrl: `https://${origin}/rekor2`,
    hashAlgorithm: 'sha256',
    publicKey: key.publicKey,
    algorithm: 'PKIX_ED25519',
    validFor: { start: 0 },
    logId: await noteKeyId(nodePrimitives, origin, key.publicKey),
  }
  return { instance, files }
}

function fileOf({ level, index, tile }: PlacedTile): [string, Uint8Array] {
  return [tilePath({ kind: 'hashes', level, index, width: tile.width === 0 ? tileWidth : tile.width }), tileBytes(tile)]
}
