/** The port of a transparency log: what its faces (Rekor v1, Rekor v2, certificate transparency) need from the engine. */

/** An entry to add. */
export type NewEntry = {
  /** The bytes that the log keeps and serves in its entry bundles; at most 65,535. */
  readonly data: Uint8Array
  /** SHA-256 Merkle leaf hash: of `data` unless the face defines its leaf otherwise (static-ct). */
  readonly leafHash: Uint8Array
  /**
   * For leaves that name their own index, which only the sequencer knows (static-ct): before it stages the entry, the sequencer writes the index as
   * a 40-bit big-endian number at `offset` of `data`; the leaf hash is then SHA-256 of a zero byte, `leafPrefix` and the first `leafBytes` of
   * `data`, and `leafHash` above is not looked at.
   */
  readonly numbered?: { readonly offset: number; readonly leafPrefix: Uint8Array; readonly leafBytes: number }
  /** 32 bytes that are equal for entries which the face regards as the same; a second one is answered with the first. */
  readonly identity: Uint8Array
}

/** An entry that is in the tree under a durable, published checkpoint. */
export type LoggedEntry = {
  readonly index: number
  /** Unix milliseconds of the batch that integrated it. */
  readonly integratedAt: number
  /** The published checkpoint that covers it. */
  readonly checkpoint: PublishedCheckpoint
  /** From the leaf's sibling upwards, in the tree of that checkpoint. */
  readonly hashes: readonly Uint8Array[]
  /** True when an entry of the same identity was there before: then all of this describes that one. */
  readonly duplicate: boolean
}

/** The last tree that was signed and published. */
export type PublishedCheckpoint = { readonly size: number; readonly rootHash: Uint8Array; readonly note: string; readonly signedAt: number }

/** One log. */
export type TreeLog = {
  /** First line of its checkpoints. */
  readonly origin: string
  /**
   * Adds an entry; resolves when it is under a durable, published checkpoint. Rejects with `log_overloaded` (too many outstanding: try later),
   * `log_frozen`, `log_unavailable` (no sequencer reachable, disk full; nothing is known of the entry then).
   */
  readonly add: (entry: NewEntry) => Promise<LoggedEntry>
  readonly checkpoint: () => Promise<PublishedCheckpoint>
  /** The entry as logged, with a proof in the current tree; `undefined` outside the tree. */
  readonly entry: (index: number) => Promise<(LoggedEntry & { readonly data: Uint8Array }) | undefined>
  /** Index of the entry with this Merkle leaf hash, for faces whose identities these hashes are; `undefined` if there is none. */
  readonly indexOfLeaf: (leafHash: Uint8Array) => Promise<number | undefined>
  /** RFC 6962 §2.1.2: hashes from the tree of size `first` to that of size `second`. Fails with `proof_impossible` outside the tree. */
  readonly consistency: (first: number, second: number) => Promise<readonly Uint8Array[]>
}
