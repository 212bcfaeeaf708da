/** What a proof of a log takes and gives. */
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import type { Database } from '../../base/database/database.ts'
import type { Damage } from './damage.ts'
import type { FsckPlace } from './place.ts'

/** A tree that somebody was told of. */
export type SeenTree = { readonly size: number; readonly rootHash: Uint8Array }

/** What is proven, and on what. Nothing may write to the log meanwhile. */
export type FsckOptions = {
  readonly place: FsckPlace
  readonly database: Database
  readonly blobs: BlobStore
  /** Checkpoints that clients kept: the log must still contain each of these trees. */
  readonly seen?: readonly SeenTree[]
  /** Told of entries as they are proven. */
  readonly progress?: (entries: number) => void
}

/** Everything that was proven of a log. */
export type SoundLog = {
  readonly name: string
  readonly kind: FsckPlace['kind']
  readonly origin: string
  readonly frozen: boolean
  /** Of the published tree. */
  readonly size: number
  /** Hex. */
  readonly root: string
  /** Entries whose leaf hash follows from their bytes. */
  readonly entries: number
  /** Tiles of hashes and entry bundles that hold what the entries demand, partial ones too. */
  readonly tiles: number
  /** Checkpoints whose signature and root hold. */
  readonly checkpoints: number
  /** Rows of batches, staged batches, indices and the queue. */
  readonly rows: number
  /** Certificates in the log, of certificate transparency alone. */
  readonly issuedCertificates?: number
}

/** A whole log, or the first thing in it that is wrong. */
export type FsckResult = { readonly ok: true; readonly log: SoundLog } | { readonly ok: false; readonly damage: Damage }
