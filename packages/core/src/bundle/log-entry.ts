/** Transparency log entries of a bundle (sigstore_rekor.proto; client specification §5). */
import { bytesToBase64 } from '../base64.ts'
import { type JsonValue, parseJsonAs } from '../json/parse.ts'
import {
  base64Bytes,
  int64,
  isAbsent,
  members,
  nonEmptyText,
  openMembers,
  optional,
  optionalItems,
  placed,
  refuse,
  type Place,
} from '../json/shape.ts'
import type { Bundle, InclusionProofClaim, TransparencyLogEntry } from './model.ts'

const maxEntries = 32
const maxHashes = 64
const maxBodyBytes = 16 * 1024 * 1024

/** Reads `tlogEntries` under the rules of the bundle's version. Fails with the code of the place. */
export function readLogEntries(at: Place, version: Bundle['version']): readonly TransparencyLogEntry[] {
  const seen = new Set<string>()
  return optionalItems(at, maxEntries).map((item) => {
    const entry = readLogEntry(item)
    requireProof(item, entry, version)
    // An entry given twice must not count as two.
    const identity = `${bytesToBase64(entry.logId)} ${entry.logIndex}`
    if (seen.has(identity)) refuse(item, 'the same log entry twice')
    seen.add(identity)
    return entry
  })
}

/** Reads one `TransparencyLogEntry`, also as Rekor v2 answers it. Fails with the code of the place. */
export function readLogEntry(at: Place): TransparencyLogEntry {
  const field = members(at, [
    'logIndex',
    'logId',
    'kindVersion',
    'integratedTime',
    'inclusionPromise',
    'inclusionProof',
    'canonicalizedBody',
  ])
  const kindVersion = members(field('kindVersion'), ['kind', 'version'])
  const promise = optional(field('inclusionPromise'), (place) =>
    optional(members(place, ['signedEntryTimestamp'])('signedEntryTimestamp'), base64Bytes),
  )
  const proof = optional(field('inclusionProof'), readProof)
  const integratedTime = int64(field('integratedTime'))
  const entry: TransparencyLogEntry = {
    logIndex: int64(field('logIndex')),
    logId: base64Bytes(members(field('logId'), ['keyId'])('keyId')),
    kind: nonEmptyText(kindVersion('kind')),
    version: nonEmptyText(kindVersion('version')),
    ...(integratedTime === 0 ? {} : { integratedTime }),
    ...(promise === undefined ? {} : { signedEntryTimestamp: promise }),
    ...(proof === undefined ? {} : { inclusionProof: proof }),
    canonicalizedBody: base64Bytes(field('canonicalizedBody')),
  }
  requireSameKind(field('canonicalizedBody'), entry)
  return entry
}

function readProof(at: Place): InclusionProofClaim {
  const field = members(at, ['logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint'])
  const checkpoint = isAbsent(field('checkpoint')) ? undefined : nonEmptyText(members(field('checkpoint'), ['envelope'])('envelope'))
  const claim = {
    logIndex: int64(field('logIndex')),
    rootHash: base64Bytes(field('rootHash')),
    treeSize: int64(field('treeSize')),
    // RFC 9162 §2.1.3: no path is longer than the tree is high, and no tree has more than 2^64 leaves.
    hashes: optionalItems(field('hashes'), maxHashes).map((place) => base64Bytes(place)),
  }
  return checkpoint === undefined ? claim : { ...claim, checkpoint }
}

/** v0.1 rests on the promise, every later version on a proof that leads to a signed checkpoint. */
function requireProof(at: Place, entry: TransparencyLogEntry, version: Bundle['version']): void {
  if (version === '0.1') {
    if (entry.signedEntryTimestamp === undefined) refuse(at, 'a v0.1 bundle needs an inclusion promise')
    return
  }
  if (entry.inclusionProof === undefined) refuse(at, `a v${version} bundle needs an inclusion proof`)
  if (entry.inclusionProof.checkpoint === undefined) refuse(at, `a v${version} bundle needs a checkpoint in the inclusion proof`)
}

/**
 * The bodies of entries that were read here, so that whoever verifies one need not read it again; by the entry, whose bytes are its own since they
 * were decoded from base64.
 */
const bodies = new WeakMap<TransparencyLogEntry, JsonValue>()

/** The body of an entry as a document, where the entry itself, not a copy with other parts, is one that {@link readLogEntry} gave. */
export function knownBody(entry: TransparencyLogEntry): JsonValue | undefined {
  return bodies.get(entry)
}

/** Hostile: a kind beside the body that differs from the one inside would be verified by the wrong rules. */
function requireSameKind(at: Place, entry: TransparencyLogEntry): void {
  const { value } = parseJsonAs(at.code, `${at.path}: the log entry's body`, entry.canonicalizedBody, { maxBytes: maxBodyBytes })
  const body = openMembers(placed(at, value))
  bodies.set(entry, value)
  const found = `${nonEmptyText(body('kind'))} ${nonEmptyText(body('apiVersion'))}`
  const expected = `${entry.kind} ${entry.version}`
  if (found !== expected) refuse(at, 'the body is of another kind than the entry says', { expected, found })
}
