/** Bundles for tests, made of parts that can be replaced one at a time. */
import { bytesToBase64 } from '@countersign/core/base64'
import { utf8 } from '@countersign/core/bytes'

/** Any JSON object, to be changed by a test. */
export type Json = Record<string, unknown>

/** Some bytes in base64. */
export const b64 = (length: number, fill = 7): string => bytesToBase64(new Uint8Array(length).fill(fill))

/** A log entry of Rekor v1 with everything in it. Nothing in it verifies. */
export const logEntry = (change: Json = {}): Json => ({
  logIndex: '771488337',
  logId: { keyId: b64(32) },
  kindVersion: { kind: 'hashedrekord', version: '0.0.1' },
  integratedTime: '1766077479',
  inclusionPromise: { signedEntryTimestamp: b64(70) },
  inclusionProof: {
    logIndex: '649584075',
    rootHash: b64(32),
    treeSize: '649584076',
    hashes: [b64(32, 1), b64(32, 2)],
    checkpoint: { envelope: 'log - 1\n1\nAAAA\n\n— log AAAAAAAA\n' },
  },
  canonicalizedBody: bytesToBase64(utf8('{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}')),
  ...change,
})

/** A message signature bundle, v0.3, under a key. */
export const keyBundle = (change: Json = {}, material: Json = {}): Json => ({
  mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
  verificationMaterial: {
    publicKey: { hint: 'hint' },
    tlogEntries: [logEntry()],
    timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: b64(50) }] },
    ...material,
  },
  messageSignature: { messageDigest: { algorithm: 'SHA2_256', digest: b64(32) }, signature: b64(71) },
  ...change,
})

/** A DSSE bundle, v0.3, under a key. */
export const envelopeBundle = (change: Json = {}): Json => {
  const { messageSignature: _, ...rest } = keyBundle()
  return {
    ...rest,
    dsseEnvelope: { payload: b64(20), payloadType: 'application/vnd.in-toto+json', signatures: [{ sig: b64(71) }], ...change },
  }
}

/** The document as bytes. */
export const encoded = (value: Json): Uint8Array => utf8(JSON.stringify(value))
