/** The profiles of certificate authorities and of the timestamp authority (fulcio, docs/certificate-specification.md; RFC 3161 §2.3). */
import type { PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { CertificateFields } from './build.ts'
import {
  authorityKeyIdExtension,
  basicConstraintsExtension,
  extKeyUsageExtension,
  keyIdentifier,
  keyUsageExtension,
  subjectKeyIdExtension,
} from './build-extensions.ts'
import { purposeOid } from './oids.ts'

/** What the caller decides about a certificate of an authority. */
export type AuthorityWish = {
  readonly serial: Uint8Array
  /** Name, DER (`build-name.ts`). */
  readonly subject: Uint8Array
  readonly key: PublicKey
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** Who issues: its name as in its own certificate, and the key identifier that it has there. */
export type AuthorityIssuer = { readonly name: Uint8Array; readonly keyId: Uint8Array }

type Hashing = Pick<Primitives, 'hash'>

/** A self-signed root: certificate authority, signs certificates and revocation lists, no purposes and no limit of the path. */
export async function rootFields(primitives: Hashing, wish: AuthorityWish): Promise<CertificateFields> {
  const keyId = await keyIdentifier(primitives, wish.key)
  const extensions = [
    basicConstraintsExtension({ ca: true }),
    keyUsageExtension('keyCertSign', 'cRLSign'),
    subjectKeyIdExtension(keyId),
    authorityKeyIdExtension(keyId),
  ]
  return fieldsOf(wish, wish.subject, extensions)
}

/** An intermediate authority for one purpose (an OID), below which no other authority may be. */
export async function intermediateFields(
  primitives: Hashing,
  wish: AuthorityWish,
  issuer: AuthorityIssuer,
  purpose: string = purposeOid.codeSigning,
): Promise<CertificateFields> {
  const extensions = [
    basicConstraintsExtension({ ca: true, pathLength: 0 }),
    keyUsageExtension('keyCertSign', 'cRLSign'),
    extKeyUsageExtension(false, purpose),
    subjectKeyIdExtension(await keyIdentifier(primitives, wish.key)),
    authorityKeyIdExtension(issuer.keyId),
  ]
  return fieldsOf(wish, issuer.name, extensions)
}

/** The certificate of a timestamp authority: time stamping alone, and critical (RFC 3161 §2.3). */
export async function timestampFields(primitives: Hashing, wish: AuthorityWish, issuer: AuthorityIssuer): Promise<CertificateFields> {
  const extensions = [
    keyUsageExtension('digitalSignature'),
    extKeyUsageExtension(true, purposeOid.timeStamping),
    subjectKeyIdExtension(await keyIdentifier(primitives, wish.key)),
    authorityKeyIdExtension(issuer.keyId),
  ]
  return fieldsOf(wish, issuer.name, extensions)
}

function fieldsOf(wish: AuthorityWish, issuer: Uint8Array, extensions: readonly Uint8Array[]): CertificateFields {
  const { serial, subject, key, notBeforeMs, notAfterMs } = wish
  return { serial, issuer, subject, notBeforeMs, notAfterMs, spki: key.spki, extensions }
}
