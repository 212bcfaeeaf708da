/** Writes Sigstore bundles as cosign does: protojson in one line, fields in the order of the message, zero values left out. */
import { bytesToBase64 } from '../base64.ts'
import { utf8 } from '../bytes.ts'
import { digestAlgorithm, digestBytes, type Digest } from '../digest.ts'
import { envelopeJson } from '../dsse/envelope.ts'
import { CountersignError, unreachable } from '../failure.ts'
import type { Bundle, InclusionProofClaim, SignedContent, TransparencyLogEntry, VerificationMaterial } from './model.ts'

/** Media type of the bundles that the platform writes; also the artifact type of their manifests. */
export const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

const hashNames = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' } as const

/**
 * The bundle's bytes: UTF-8, no newline at the end, no `keyid` in an envelope. Throws `not_supported` for simple-signing content, which no
 * bundle can hold.
 */
export function serializeBundle(bundle: Bundle): Uint8Array {
  const timestamps = bundle.timestamps.map((der) => ({ signedTimestamp: bytesToBase64(der) }))
  return utf8(
    JSON.stringify({
      mediaType: bundle.mediaType,
      verificationMaterial: {
        ...materialJson(bundle),
        ...(bundle.logEntries.length === 0 ? {} : { tlogEntries: bundle.logEntries.map(logEntryJson) }),
        ...(timestamps.length === 0 ? {} : { timestampVerificationData: { rfc3161Timestamps: timestamps } }),
      },
      ...contentJson(bundle.content),
    }),
  )
}

/** v0.3 carries the leaf alone; v0.1 and v0.2 a chain. */
function materialJson({ material, version }: { material: VerificationMaterial; version: Bundle['version'] }): object {
  if (material.kind === 'public-key') return { publicKey: material.hint === undefined ? {} : { hint: material.hint } }
  const certificates = material.chain.map((der) => ({ rawBytes: bytesToBase64(der) }))
  return version === '0.3' ? { certificate: certificates[0] } : { x509CertificateChain: { certificates } }
}

function contentJson(content: SignedContent): object {
  switch (content.kind) {
    case 'message': {
      const { claimedDigest, signature } = content
      return {
        messageSignature: {
          messageDigest: claimedDigest === undefined ? {} : digestJson(claimedDigest),
          signature: bytesToBase64(signature),
        },
      }
    }
    case 'dsse':
      return { dsseEnvelope: envelopeJson(content.envelope) }
    case 'simple-signing':
      throw new CountersignError('not_supported', 'a Sigstore bundle cannot hold a simple-signing payload')
    default:
      return unreachable(content)
  }
}

function digestJson(digest: Digest): object {
  return { algorithm: hashNames[digestAlgorithm(digest)], digest: bytesToBase64(digestBytes(digest)) }
}

/** A log entry as protojson; 64-bit integers are strings there, and 0 is left out. */
export function logEntryJson(entry: TransparencyLogEntry): object {
  return {
    ...int64Json('logIndex', entry.logIndex),
    logId: { keyId: bytesToBase64(entry.logId) },
    kindVersion: { kind: entry.kind, version: entry.version },
    ...int64Json('integratedTime', entry.integratedTime ?? 0),
    ...(entry.signedEntryTimestamp === undefined
      ? {}
      : { inclusionPromise: { signedEntryTimestamp: bytesToBase64(entry.signedEntryTimestamp) } }),
    ...(entry.inclusionProof === undefined ? {} : { inclusionProof: proofJson(entry.inclusionProof) }),
    canonicalizedBody: bytesToBase64(entry.canonicalizedBody),
  }
}

function proofJson(proof: InclusionProofClaim): object {
  return {
    ...int64Json('logIndex', proof.logIndex),
    rootHash: bytesToBase64(proof.rootHash),
    ...int64Json('treeSize', proof.treeSize),
    ...(proof.hashes.length === 0 ? {} : { hashes: proof.hashes.map(bytesToBase64) }),
    ...(proof.checkpoint === undefined ? {} : { checkpoint: { envelope: proof.checkpoint } }),
  }
}

function int64Json(name: string, value: number): object {
  return value === 0 ? {} : { [name]: String(value) }
}
