/** The entries of a bundle, each face's own: their leaf hashes, what makes them the same, and what else must hold of them. */
import { bytesToHex, concatBytes, equalBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { entryBundles, type EntryFormat } from '@countersign/core/tiles/entry-bundle'
import { signatureAlgorithmOf } from '@countersign/core/x509/algorithm-identifier'
import { type Certificate, parseCertificate } from '@countersign/core/x509/certificate'
import { merkleLeafPrefix, parseTileLeaf, type ReadCtEntry } from '@countersign/core/x509/ct-leaf'
import { extensionOid } from '@countersign/core/x509/oids'
import { precertificateTbs } from '@countersign/core/x509/sct'
import type { BlobStore } from '../../base/blobs/blob-store.ts'
import { hashBytes, serverPrimitives, verifyMessage } from '../../base/crypto/primitives.ts'
import { issuerName } from '../ct/ct-log.ts'
import { ctTileFormat } from '../ct/tree.ts'
import { damaged } from './damage.ts'

/** What an entry proves of itself. */
export type ProvenEntry = { readonly leafHash: Uint8Array; readonly identity: Uint8Array }

/** How the entries of one log are read. */
export type EntryProof = {
  readonly format: EntryFormat
  /** `bundle` is the file that holds it. Throws `log_altered` for one that contradicts itself. */
  readonly prove: (data: Uint8Array, index: number, bundle: string) => Promise<ProvenEntry> | ProvenEntry
}

/** Entries of Rekor: the leaf is the hash of the bytes, and the identity is the leaf. */
export function rekorEntries(): EntryProof {
  return {
    format: entryBundles,
    prove: (data) => {
      const leafHash = hashLeaf(serverPrimitives, data)
      return { leafHash, identity: leafHash }
    },
  }
}

/**
 * Entries of the certificate transparency log: each has its own index, its issuers are there, and the precertificate is the one that the leaf
 * speaks of, signed by that issuer: it lies outside the leaf hash, so that no checkpoint speaks of it.
 */
export function ctEntries(blobs: BlobStore): EntryProof {
  const issuers = new Map<string, Certificate>()
  const issuerOf = async (fingerprint: Uint8Array, where: string): Promise<Certificate> => {
    const name = issuerName(bytesToHex(fingerprint))
    const known = issuers.get(name)
    if (known !== undefined) return known
    const bytes = await blobs.get(name)
    if (bytes === undefined) throw damaged(name, `the issuer of ${where} is missing`)
    const found = hashBytes('sha256', bytes)
    if (!equalBytes(found, fingerprint)) {
      throw damaged(name, 'the issuer is not the one of its name', { expected: bytesToHex(fingerprint), found: bytesToHex(found) })
    }
    const certificate = parsed(name, () => parseCertificate(bytes))
    if (issuers.size < 1024) issuers.set(name, certificate)
    return certificate
  }
  return {
    format: ctTileFormat,
    prove: async (data, index, bundle) => {
      const where = `${bundle}, entry ${index}`
      const read = parsed(where, () => parseTileLeaf(data))
      if (read.entry.index !== index) {
        throw damaged(where, 'the entry names another index', { expected: `${index}`, found: `${read.entry.index}` })
      }
      const chain: Certificate[] = []
      for (const fingerprint of read.entry.chain) chain.push(await issuerOf(fingerprint, where))
      const identity = demandSigned(read, chain[0], where)
      return { identity, leafHash: hashLeaf(serverPrimitives, concatBytes(merkleLeafPrefix, data.subarray(0, read.entryBytes))) }
    },
  }
}

function demandSigned({ entry: { signed } }: ReadCtEntry, issuer: Certificate | undefined, where: string): Uint8Array {
  if (signed.kind !== 'precertificate') throw damaged(where, 'the entry is no precertificate: this log has no others')
  if (issuer === undefined) throw damaged(where, 'the entry names no issuer')
  const { issuerKeyHash, tbs, precertificate } = signed
  const keyHash = hashBytes('sha256', issuer.spki)
  if (!equalBytes(keyHash, issuerKeyHash)) {
    throw damaged(where, 'the key of the issuer is another one', { expected: bytesToHex(issuerKeyHash), found: bytesToHex(keyHash) })
  }
  const certificate = parsed(where, () => parseCertificate(precertificate))
  if (!equalBytes(precertificateTbs(certificate, extensionOid.precertificatePoison), tbs)) {
    throw damaged(where, 'the precertificate is not the one that the leaf speaks of')
  }
  const key = parsed(where, () => parsePublicKey(issuer.spki))
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, key)
  if (algorithm === undefined || !verifyMessage(algorithm, key, certificate.tbs, certificate.signature)) {
    throw damaged(where, 'the precertificate is not signed by its issuer')
  }
  return hashBytes('sha256', concatBytes(issuerKeyHash, tbs))
}

/** What does not parse is damage. */
export function parsed<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw damaged(where, cause.message)
  }
}
