/** The signer of a Rekor v1 entry (sigstore/rekor, pkg/pki/x509): PEM of a public key, or of a certificate and what it chains to. */
import { fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { refuse, type Place } from '../json/shape.ts'
import { encodePublicKeyPem, parsePkcs1PublicKey, parsePublicKey } from '../keys/public-key.ts'
import { decodePem, encodePem } from '../pem.ts'
import { parseCertificate } from '../x509/certificate.ts'
import type { EntrySigner } from './entry.ts'

/** A signer, and the one spelling of its PEM that a log keeps. */
export type PemSigner = { readonly signer: EntrySigner; readonly canonical: Uint8Array }

const maxCertificates = 10
const maxBytes = 64 * 1024

/** Reads the signer. A second spelling of one key would be a second entry. Fails with the code of the place. */
export function readPemSigner(at: Place, pem: Uint8Array): PemSigner {
  if (pem.length > maxBytes) refuse(at, `a signer of ${pem.length} bytes`)
  try {
    const blocks = decodePem(fromUtf8(pem))
    const [first, ...rest] = blocks
    if (first === undefined) return refuse(at, 'no PEM')
    if (first.label !== 'CERTIFICATE') return readKey(at, first, rest.length)
    if (blocks.length > maxCertificates || blocks.some(({ label }) => label !== 'CERTIFICATE')) {
      return refuse(at, 'not a chain of certificates', { expected: `1 to ${maxCertificates}`, found: `${blocks.length} blocks` })
    }
    const [certificate] = blocks.map(({ bytes }) => parseCertificate(bytes))
    if (certificate === undefined) return refuse(at, 'no certificate')
    const canonical = utf8(blocks.map(({ bytes }) => encodePem('CERTIFICATE', bytes)).join(''))
    const chain = rest.map(({ bytes }) => bytes)
    return { signer: { kind: 'certificate', certificate, key: parsePublicKey(certificate.spki), chain }, canonical }
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === at.code) throw cause
    throw new CountersignError(at.code, `${at.path}: ${cause.message}`, { cause })
  }
}

function readKey(at: Place, block: { readonly label: string; readonly bytes: Uint8Array }, more: number): PemSigner {
  if (more > 0) return refuse(at, 'more than one public key')
  if (block.label !== 'PUBLIC KEY' && block.label !== 'RSA PUBLIC KEY') {
    return refuse(at, 'neither a public key nor a certificate', { found: block.label.slice(0, 40) })
  }
  const key = block.label === 'PUBLIC KEY' ? parsePublicKey(block.bytes) : parsePkcs1PublicKey(block.bytes)
  return { signer: { kind: 'public-key', key }, canonical: utf8(encodePublicKeyPem(key)) }
}
