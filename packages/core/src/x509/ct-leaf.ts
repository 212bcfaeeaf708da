/**
 * Entries of a certificate transparency log: the Merkle leaf of RFC 6962 §3.4, and the leaf of a data tile, which holds the same timestamped
 * entry and what auditors need beside it (c2sp.org/static-ct-api, "Log entries").
 */
import { concatBytes } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { tlsReader, tlsUint, tlsVector, type TlsReader } from '../tls-encoding.ts'
import { leafIndexExtension, leafIndexOf } from './sct-encode.ts'

/** What the leaf of a log says. */
export type CtEntry = {
  /** Unix milliseconds, as in the SCT. */
  readonly timestampMs: number
  /** Index in the log. */
  readonly index: number
  readonly signed:
    | { readonly kind: 'certificate'; readonly certificate: Uint8Array }
    /** SHA-256 of the issuer's SPKI, and the TBSCertificate without poison. */
    | { readonly kind: 'precertificate'; readonly issuerKeyHash: Uint8Array; readonly tbs: Uint8Array; readonly precertificate: Uint8Array }
  /** SHA-256 of the certificates from the issuer to the root, DER each. */
  readonly chain: readonly Uint8Array[]
}

/** MerkleTreeLeaf before the timestamped entry: version 1, leaf type `timestamped_entry`. */
export const merkleLeafPrefix: Uint8Array = Uint8Array.of(0, 0)

const x509Type = 0
const precertType = 1
const fingerprintBytes = 32
const maxChain = 32

/** The leaf of a data tile and where things are in it, so that a sequencer can write the index when it knows it. */
export type TileLeaf = {
  readonly bytes: Uint8Array
  /** Bytes of the timestamped entry at the beginning: behind `merkleLeafPrefix` they are the MerkleTreeLeaf. */
  readonly entryBytes: number
  /** Where the 40-bit index stands. */
  readonly indexOffset: number
}

/** Writes the leaf of a data tile. */
export function encodeTileLeaf(entry: CtEntry): TileLeaf {
  const timestamped = timestampedEntry(entry)
  const precertificate = entry.signed.kind === 'precertificate' ? [tlsVector(entry.signed.precertificate, 3)] : []
  const bytes = concatBytes(timestamped, ...precertificate, tlsVector(concatBytes(...entry.chain)))
  return { bytes, entryBytes: timestamped.length, indexOffset: timestamped.length - 5 }
}

/** MerkleTreeLeaf (RFC 6962 §3.4); its Merkle leaf hash is SHA-256 of a zero byte and these bytes. */
export function encodeMerkleTreeLeaf(entry: CtEntry): Uint8Array {
  return concatBytes(merkleLeafPrefix, timestampedEntry(entry))
}

function timestampedEntry({ timestampMs, index, signed }: CtEntry): Uint8Array {
  const body =
    signed.kind === 'certificate'
      ? [tlsUint(x509Type, 2), tlsVector(signed.certificate, 3)]
      : [tlsUint(precertType, 2), signed.issuerKeyHash, tlsVector(signed.tbs, 3)]
  return concatBytes(tlsUint(timestampMs, 8), ...body, tlsVector(leafIndexExtension(index)))
}

/** A leaf as read, and its bytes. */
export type ReadCtEntry = { readonly entry: CtEntry; readonly bytes: Uint8Array; readonly entryBytes: number }

/** Every leaf of a data tile, at most 256. Throws `tile_malformed`. */
export function parseDataTile(tile: Uint8Array): readonly ReadCtEntry[] {
  const reader = tlsReader(tile, malformed)
  const entries: ReadCtEntry[] = []
  let at = 0
  while (!reader.atEnd()) {
    if (entries.length === 256) throw malformed('more than 256 leaves')
    const { entry, entryBytes, length } = readLeaf(reader)
    entries.push({ entry, entryBytes, bytes: tile.subarray(at, at + length) })
    at += length
  }
  return entries
}

/** One leaf of a data tile, whole. Throws `tile_malformed`. */
export function parseTileLeaf(bytes: Uint8Array): ReadCtEntry {
  const reader = tlsReader(bytes, malformed)
  const { entry, entryBytes } = readLeaf(reader)
  reader.end()
  return { entry, entryBytes, bytes }
}

function readLeaf(reader: TlsReader): { entry: CtEntry; entryBytes: number; length: number } {
  const timestampMs = reader.uint(8)
  if (!Number.isSafeInteger(timestampMs)) throw malformed('a time beyond 2^53 milliseconds')
  const type = reader.uint(2)
  if (type !== x509Type && type !== precertType) throw malformed(`an entry of type ${type}`)
  const issuerKeyHash = type === precertType ? reader.take(32) : new Uint8Array()
  const body = reader.vector(3)
  const extensions = reader.vector()
  const index = indexIn(extensions)
  if (index === undefined) throw malformed('a leaf without its index')
  const entryBytes = 8 + 2 + issuerKeyHash.length + 3 + body.length + 2 + extensions.length
  const precertificate = type === precertType ? reader.vector(3) : new Uint8Array()
  const fingerprints = reader.vector()
  const length = entryBytes + (type === precertType ? 3 + precertificate.length : 0) + 2 + fingerprints.length
  const signed: CtEntry['signed'] =
    type === x509Type ? { kind: 'certificate', certificate: body } : { kind: 'precertificate', issuerKeyHash, tbs: body, precertificate }
  return { entry: { timestampMs, index, signed, chain: readChain(fingerprints) }, entryBytes, length }
}

function indexIn(extensions: Uint8Array): number | undefined {
  try {
    return leafIndexOf(extensions)
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'sct_malformed') throw cause
    throw malformed(cause.message)
  }
}

function readChain(fingerprints: Uint8Array): readonly Uint8Array[] {
  const count = fingerprints.length / fingerprintBytes
  if (!Number.isInteger(count) || count > maxChain) throw malformed('a chain that is not of fingerprints, or too long')
  return Array.from({ length: count }, (_, i) => fingerprints.subarray(i * fingerprintBytes, (i + 1) * fingerprintBytes))
}

function malformed(detail: string): CountersignError {
  return new CountersignError('tile_malformed', `not a tile of a certificate transparency log: ${detail}`)
}
