/** Samples of what comes to the services: timestamp requests and TUF metadata, made with our own writers. */
import { generateKeyPairSync } from 'node:crypto'
import { bytesToBase64 } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'
import { hashLength, type HashAlgorithm } from '@countersign/core/digest'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { encodeTufMetadata, rootContent } from '@countersign/core/tuf/write'

const hashes = Object.keys(hashLength) as HashAlgorithm[]

/** Timestamp requests in DER, with and without what is optional. */
export function timestampRequests(): readonly Uint8Array[] {
  return hashes.flatMap((hash) => {
    const digest = new Uint8Array(hashLength[hash]).fill(7)
    return [
      encodeTimestampRequest({ hash, digest, certReq: false }),
      encodeTimestampRequest({ hash, digest, certReq: true, nonce: Uint8Array.of(0x80, 1, 2, 3) }),
    ]
  })
}

/** Timestamp requests in JSON. */
export function timestampRequestsJson(): readonly Uint8Array[] {
  return hashes.map((hashAlgorithm) => {
    const artifactHash = bytesToBase64(new Uint8Array(hashLength[hashAlgorithm]).fill(7))
    return utf8(JSON.stringify({ artifactHash, hashAlgorithm, certificates: true, nonce: 12_345_678_901, tsaPolicyOID: '1.2.3' }))
  })
}

/** Root metadata with one key. */
export function tufRoots(): readonly Uint8Array[] {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
  const role = { keys: [{ id: 'ab'.repeat(32), publicKey: parsePublicKey(spki) }], threshold: 1 }
  const roles = { root: role, targets: role, snapshot: role, timestamp: role }
  return [
    encodeTufMetadata(rootContent({ version: 1, expiresMs: Date.UTC(2030, 0, 1), roles }), [{ keyId: 'ab'.repeat(32), signature: 'cd' }]),
  ]
}
