/** Keys, certificates and timestamps, described. Nothing is verified, no password is asked for. */
import { createHash } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKey, type PublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import { parseTimestampResponse } from '@countersign/core/rfc3161/token'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { fulcioExtensionNames, fulcioExtensions } from '@countersign/core/x509/fulcio'
import type { JsonValue } from '@countersign/core/json/parse'
import type { Description } from './describe.ts'

/** PEM: certificates, public keys, and private keys of which only the kind is told. */
export function describePem(text: string): Description {
  const blocks = decodePem(text)
  const says = blocks.map(({ label, bytes }): { readonly kind: string; readonly says: JsonValue } => {
    if (label === 'CERTIFICATE') return { kind: 'certificate', says: describeCertificate(bytes) }
    if (label === 'PUBLIC KEY') return { kind: 'public key', says: keySays(parsePublicKey(bytes)) }
    if (label.includes('ENCRYPTED') && label.includes('PRIVATE KEY')) return { kind: 'encrypted private key', says: { label } }
    if (label.endsWith('PRIVATE KEY'))
      return { kind: 'private key, not encrypted', says: { label, advice: 'encrypt it with "countersign import-key-pair"' } }
    return { kind: 'PEM block', says: { label, bytes: bytes.length } }
  })
  const [only] = says
  if (only === undefined) throw new CountersignError('pem_malformed', 'there is no PEM block')
  return says.length === 1 ? only : { kind: `${says.length} PEM blocks`, says: says.map((block) => ({ [block.kind]: block.says })) }
}

/** DER: a certificate, a public key or a timestamp, whichever it parses as. */
export function describeDer(bytes: Uint8Array): Description {
  const readers: readonly (() => Description)[] = [
    () => ({ kind: 'certificate', says: describeCertificate(bytes) }),
    () => ({ kind: 'public key', says: keySays(parsePublicKey(bytes)) }),
    () => ({ kind: 'RFC 3161 timestamp', says: timestampSays(bytes) }),
  ]
  for (const read of readers) {
    const description = attempt(read)
    if (description !== undefined) return description
  }
  throw new CountersignError('der_malformed', 'this DER is no certificate, public key or timestamp response')
}

function attempt(read: () => Description): Description | undefined {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** A certificate's claims. */
export function describeCertificate(der: Uint8Array): { readonly [name: string]: JsonValue } {
  const certificate = parseCertificate(der)
  const extensions = Object.entries(fulcioExtensions(certificate)).map(([arc, value]) => [fulcioExtensionNames[arc] ?? arc, value])
  return {
    subject: certificate.subject.text,
    issuer: certificate.issuer.text,
    names: certificate.alternativeNames.map((name) => `${name.kind} ${name.value}`),
    notBefore: new Date(certificate.notBeforeMs).toISOString(),
    notAfter: new Date(certificate.notAfterMs).toISOString(),
    serial: Buffer.from(certificate.serial).toString('hex'),
    authority: certificate.basicConstraints?.ca === true,
    key: keySays(parsePublicKey(certificate.spki)),
    fingerprint: fingerprint(certificate.raw),
    ...(extensions.length === 0 ? {} : { fulcio: Object.fromEntries(extensions) as { readonly [name: string]: string } }),
  }
}

function keySays(key: PublicKey): JsonValue {
  return {
    type: key.bits === undefined ? key.type : `${key.type} ${key.bits}`,
    fingerprint: fingerprint(key.spki),
    hint: createHash('sha256').update(key.spki).digest('base64'),
  }
}

function timestampSays(bytes: Uint8Array): JsonValue {
  const { status, token } = parseTimestampResponse(bytes)
  const { info } = token
  return {
    status,
    time: new Date(info.genTimeMs).toISOString(),
    policy: info.policy,
    imprint: `${info.imprint.hash}:${Buffer.from(info.imprint.digest).toString('hex')}`,
  }
}

function fingerprint(der: Uint8Array): string {
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}
