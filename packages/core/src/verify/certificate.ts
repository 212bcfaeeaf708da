/** The certificates that come with a signature, read; `signer-certificate.ts` proves the signer's. */
import { CountersignError } from '../failure.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'
import type { CertificateReader } from '../x509/chain.ts'
import { readingPart } from './ledger.ts'

/** A signer's certificate and the candidates for its chain, parsed; nothing is verified. */
export type ReadCertificate = { readonly leaf: Certificate; readonly key: PublicKey; readonly candidates: readonly Certificate[] }

/** Most certificates that are read from one signature. */
const maxCertificates = 16

/** Reads what a signature came with. Refuses with `bundle_malformed`; a key that the platform does not take is `key_unsupported`. */
export function readCertificate(chain: readonly [Uint8Array, ...Uint8Array[]], reader?: CertificateReader): ReadCertificate {
  if (chain.length > maxCertificates) {
    throw new CountersignError('limit_exceeded', `${chain.length} certificates come with the signature`, {
      expected: `at most ${maxCertificates}`,
    })
  }
  const leaf = readingPart('bundle_malformed', "the signer's certificate", () => (reader?.certificate ?? parseCertificate)(chain[0]))
  return { leaf, key: readKey(leaf, reader?.publicKey ?? parsePublicKey), candidates: chain.slice(1).map(readCandidate) }
}

function readKey(leaf: Certificate, read: (spki: Uint8Array) => PublicKey): PublicKey {
  try {
    return read(leaf.spki)
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'key_unsupported') throw cause
    return readingPart('bundle_malformed', "the signer's certificate", () => read(leaf.spki))
  }
}

function readCandidate(der: Uint8Array): Certificate {
  return readingPart('bundle_malformed', 'a certificate beside the signer’s', () => parseCertificate(der))
}
