/** The certificate transparency log of this installation: precertificates in, signed timestamps out, once the entry is durable and published. */
import { bytesToHex, concatBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { encodeTileLeaf, merkleLeafPrefix, parseTileLeaf } from '@countersign/core/x509/ct-leaf'
import { leafIndexExtension, tlsAlgorithmOf } from '@countersign/core/x509/sct-encode'
import { sctSignedData, type SignedCertificateTimestamp } from '@countersign/core/x509/sct'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import type { Clock } from '../../base/clock.ts'
import { hashBytes } from '../../base/crypto/primitives.ts'
import type { RoleKey } from '../../base/keys/role-key.ts'
import type { LoggedEntry, TreeLog } from '../tree-log.ts'

/** A precertificate to be published. */
export type Precertificate = {
  /** The whole precertificate, DER, with the poison. */
  readonly certificate: Uint8Array
  /** Its TBSCertificate without the poison (RFC 6962 §3.2). */
  readonly tbs: Uint8Array
  /** Certificates from the issuer to the root, DER. */
  readonly chain: readonly Uint8Array[]
  /** SHA-256 of the issuer's SPKI. */
  readonly issuerKeyHash: Uint8Array
}

/** The log as its submitter and its readers see it. */
export type CtLog = {
  /** SHA-256 of the SPKI of its key. */
  readonly logId: Uint8Array
  /** Resolves when the entry is in the tree under a durable, published checkpoint. Rejects as `TreeLog.add` does, or with `signer_unavailable`. */
  readonly publish: (precertificate: Precertificate) => Promise<SignedCertificateTimestamp>
  /** An issuer that an entry refers to, by the hex of its SHA-256; DER. */
  readonly issuer: (fingerprint: string) => Promise<Uint8Array | undefined>
}

/** What the log is made of. */
export type CtLogParts = {
  readonly tree: Pick<TreeLog, 'add' | 'entry'>
  readonly key: RoleKey
  readonly blobs: BlobStore
  readonly now: Clock
}

/** Opens the log over its tree. Throws `algorithm_unsupported` for a key that no such log may have. */
export function ctLog({ tree, key, blobs, now }: CtLogParts): CtLog {
  const logId = hashBytes('sha256', key.publicKey.spki)
  const algorithms = tlsAlgorithmOf(key.algorithm)
  const kept = new WeakMap<Uint8Array, Promise<Uint8Array>>()

  /** Certificates of authorities are few and the same objects each time: hashed and written once in a process. */
  const keepIssuer = (certificate: Uint8Array): Promise<Uint8Array> => {
    const known = kept.get(certificate)
    if (known !== undefined) return known
    const keeping = writeIssuer(blobs, certificate).catch((cause: unknown) => {
      kept.delete(certificate)
      throw cause
    })
    kept.set(certificate, keeping)
    return keeping
  }

  const publish = async (precertificate: Precertificate): Promise<SignedCertificateTimestamp> => {
    const { certificate, tbs, issuerKeyHash } = precertificate
    // Step 2 of a certificate. Issuers first: every issuer that a leaf refers to must be there (c2sp.org/static-ct-api, "Issuers").
    const chain = await Promise.all(precertificate.chain.map(keepIssuer))
    const timestampMs = now()
    const signed = { kind: 'precertificate', issuerKeyHash, tbs, precertificate: certificate } as const
    const leaf = encodeTileLeaf({ timestampMs, index: 0, signed, chain })
    // Then the entry, durable and published: the promise that a timestamp makes is kept before it is given.
    const logged = await tree.add({
      data: leaf.bytes,
      leafHash: new Uint8Array(32),
      numbered: { offset: leaf.indexOffset, leafPrefix: merkleLeafPrefix, leafBytes: leaf.entryBytes },
      identity: hashBytes('sha256', concatBytes(issuerKeyHash, tbs)),
    })
    // Step 3.
    const body = { timestampMs: await timestampOf(tree, logged, timestampMs), extensions: leafIndexExtension(logged.index) }
    const signature = await key.sign(sctSignedData(body, issuerKeyHash, tbs))
    return { logId, ...body, ...algorithms, signature }
  }
  return { logId, publish, issuer: async (fingerprint) => readIssuer(blobs, fingerprint) }
}

/** One entry has one time: a second timestamp over it says the first one's. */
async function timestampOf(tree: Pick<TreeLog, 'entry'>, { index, duplicate }: LoggedEntry, timestampMs: number): Promise<number> {
  if (!duplicate) return timestampMs
  const found = await tree.entry(index)
  if (found === undefined) throw new CountersignError('log_damaged', `entry ${index} is not in the log that answered with it`)
  return parseTileLeaf(found.data).entry.timestampMs
}

async function writeIssuer(blobs: BlobStore, certificate: Uint8Array): Promise<Uint8Array> {
  const fingerprint = hashBytes('sha256', certificate)
  await blobs.create(issuerName(bytesToHex(fingerprint)), certificate)
  return fingerprint
}

async function readIssuer(blobs: BlobStore, fingerprint: string): Promise<Uint8Array | undefined> {
  return /^[0-9a-f]{64}$/.test(fingerprint) ? blobs.get(issuerName(fingerprint)) : undefined
}

/** Where an issuer is kept: the hex of the SHA-256 of its certificate below a folder that all certificate logs have in common. */
export function issuerName(fingerprint: string): string {
  return `ct-issuers/${fingerprint}`
}
