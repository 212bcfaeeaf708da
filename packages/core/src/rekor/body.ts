/** The canonical body of a Rekor v2 entry (rekor-v2-spec §6.1): what the log keeps, and every client rebuilds from its bundle. */
import { bytesToBase64 } from '../base64.ts'
import { unreachable } from '../failure.ts'
import { canonicalJson } from '../json/canonical.ts'
import type { JsonValue } from '../json/parse.ts'
import type { ProposedEntry } from './entry.ts'

/** Names of hashes in entries (sigstore_common.proto, `HashAlgorithm`). */
export const hashNames = { sha256: 'SHA2_256', sha384: 'SHA2_384', sha512: 'SHA2_512' } as const

/** Kind and version of the entries that a v2 log keeps. */
export const hashedrekordV2 = { kind: 'hashedrekord', version: '0.0.2' } as const

/** RFC 8785 bytes of a `hashedrekord` 0.0.2: one spelling for one signature by one signer over one digest. */
export function hashedrekordBody(entry: ProposedEntry): Uint8Array {
  const { algorithm, digest, signature, signer } = entry
  return canonicalJson({
    apiVersion: hashedrekordV2.version,
    kind: hashedrekordV2.kind,
    spec: {
      hashedRekordV002: {
        data: { algorithm: hashNames[algorithm.hash], digest: bytesToBase64(digest) },
        signature: { content: bytesToBase64(signature), verifier: { keyDetails: algorithm.name, ...signerJson(signer) } },
      },
    },
  })
}

function signerJson(signer: ProposedEntry['signer']): { readonly [name: string]: JsonValue } {
  switch (signer.kind) {
    case 'certificate':
      return { x509Certificate: { rawBytes: bytesToBase64(signer.certificate.raw) } }
    case 'public-key':
      return { publicKey: { rawBytes: bytesToBase64(signer.key.spki) } }
    default:
      return unreachable(signer)
  }
}
