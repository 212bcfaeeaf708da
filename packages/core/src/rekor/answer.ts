/** What a Rekor v2 log answers: a `TransparencyLogEntry` (sigstore_rekor.proto) in protojson, with the fields that have no value in v2 too. */
import { bytesToBase64 } from '../base64.ts'

/** An entry under a checkpoint. */
export type AnsweredEntry = {
  readonly logIndex: number
  /** The whole key identifier of the log, 32 bytes. */
  readonly logId: Uint8Array
  readonly kind: string
  readonly version: string
  readonly rootHash: Uint8Array
  readonly treeSize: number
  /** From the leaf's sibling upwards. */
  readonly hashes: readonly Uint8Array[]
  /** The signed note. */
  readonly checkpoint: string
  readonly canonicalizedBody: Uint8Array
}

/** The JSON document; 64-bit integers are strings, as protojson has them. */
export function answerJson(entry: AnsweredEntry): string {
  return JSON.stringify({
    logIndex: String(entry.logIndex),
    logId: { keyId: bytesToBase64(entry.logId) },
    kindVersion: { kind: entry.kind, version: entry.version },
    integratedTime: '0',
    inclusionPromise: null,
    inclusionProof: {
      logIndex: String(entry.logIndex),
      rootHash: bytesToBase64(entry.rootHash),
      treeSize: String(entry.treeSize),
      hashes: entry.hashes.map(bytesToBase64),
      checkpoint: { envelope: entry.checkpoint },
    },
    canonicalizedBody: bytesToBase64(entry.canonicalizedBody),
  })
}
