/** Named bytes: tiles, entry bundles, metadata, backups. Files on one machine, S3 where that is outgrown. */

/**
 * A store of named bytes. A name is 1 to 512 characters of `[A-Za-z0-9._/-]`, without an empty, `.` or `..` segment.
 *
 * What a promise has confirmed survives `kill -9` and power loss. Every failure is a `CountersignError` with `blob_store_failed`;
 * a refused name is `blob_name_malformed`.
 */
export type BlobStore = {
  /** Writes the whole blob or nothing, replacing what was there. Readers see the old bytes or the new, never a mixture. */
  readonly put: (name: string, bytes: Uint8Array) => Promise<void>
  /** Writes only where nothing is; `false` when something is there, which then is untouched. Of several at once, one gets `true`. */
  readonly create: (name: string, bytes: Uint8Array) => Promise<boolean>
  /** The bytes, or `undefined` when there is no such blob. "Cannot be read" is a failure, never `undefined`. */
  readonly get: (name: string) => Promise<Uint8Array | undefined>
  /** Names that begin with the prefix, in no promised order. */
  readonly list: (prefix: string) => AsyncIterable<string>
  /** Removes a blob; nothing happens when it is not there. */
  readonly remove: (name: string) => Promise<void>
}
