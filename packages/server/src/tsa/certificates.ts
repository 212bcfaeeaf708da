/** Certificates of the timestamp authority: a root that signs nothing else, and below it the certificate that stamps. */
import { randomBytes } from 'node:crypto'
import { buildCertificate } from '@countersign/core/x509/build'
import { rootFields, timestampFields, type AuthorityWish } from '@countersign/core/x509/build-authority'
import { encodeName } from '@countersign/core/x509/build-name'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { serialBytes, serialNumber } from '@countersign/core/x509/serial'
import { CountersignError } from '@countersign/core/failure'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import type { RoleKey } from '../base/keys/role-key.ts'

/** Whose authority it is, and when it begins. */
export type TimestampNames = { readonly organization: string; readonly commonName: string; readonly nowMs: number }

const yearMs = 365.25 * 24 * 60 * 60 * 1000
const rootYears = 20
/** Long, for a timestamp is worth what its certificate is: keys are rotated well before. */
const leafYears = 10

/** A self-signed root, DER; valid for 20 years. */
export async function createTimestampRoot(key: RoleKey, names: TimestampNames): Promise<Uint8Array> {
  return buildCertificate(await rootFields(serverPrimitives, wish(key, names, rootYears)), key)
}

/**
 * The certificate of a key that stamps, DER; valid for ten years, and not longer than its root. Throws `certificate_malformed` for a root
 * that is not one.
 */
export async function createTimestampCertificate(
  key: RoleKey,
  names: TimestampNames,
  root: { readonly certificate: Uint8Array; readonly key: RoleKey },
): Promise<Uint8Array> {
  const parsed = parseCertificate(root.certificate)
  const keyId = parsed.subjectKeyId
  if (keyId === undefined || parsed.basicConstraints?.ca !== true) {
    throw new CountersignError('certificate_malformed', 'the root of the timestamp authority is no certificate authority')
  }
  const wanted = wish(key, names, leafYears)
  const fields = { ...wanted, notAfterMs: Math.min(wanted.notAfterMs, parsed.notAfterMs) }
  return buildCertificate(await timestampFields(serverPrimitives, fields, { name: parsed.subject.raw, keyId }), root.key)
}

function wish(key: RoleKey, { organization, commonName, nowMs }: TimestampNames, years: number): AuthorityWish {
  return {
    serial: serialNumber(randomBytes(serialBytes)),
    subject: encodeName({ organization, commonName }),
    key: key.publicKey,
    notBeforeMs: nowMs,
    notAfterMs: nowMs + years * yearMs,
  }
}
