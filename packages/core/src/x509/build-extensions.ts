/** Certificate extensions as they are written (RFC 5280 §4.2.1). Each function gives one Extension, DER. */
import {
  derBoolean,
  derElement,
  derExplicit,
  derIa5String,
  derImplicit,
  derInteger,
  derNamedBits,
  derNull,
  derOctetString,
  derOid,
  derSequence,
  derUtf8String,
} from '../der/writer.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import { usernameOid, type AlternativeName } from './alternative-names.ts'
import { keyUsageNames, type BasicConstraints, type KeyUsage } from './extensions.ts'
import { extensionOid } from './oids.ts'

/** One Extension; `value` is the content of extnValue. FALSE is the default and not written (X.690 §11.5). */
export function encodeExtension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const body = derOctetString(value)
  return critical ? derSequence(derOid(oid), derBoolean(true), body) : derSequence(derOid(oid), body)
}

/** BasicConstraints, critical (RFC 5280 §4.2.1.9). */
export function basicConstraintsExtension({ ca, pathLength }: BasicConstraints): Uint8Array {
  const fields = [...(ca ? [derBoolean(true)] : []), ...(pathLength === undefined ? [] : [derInteger(pathLength)])]
  return encodeExtension(extensionOid.basicConstraints, true, derSequence(...fields))
}

/** KeyUsage, critical (RFC 5280 §4.2.1.3). */
export function keyUsageExtension(...uses: readonly KeyUsage[]): Uint8Array {
  return encodeExtension(extensionOid.keyUsage, true, derNamedBits(uses.map((use) => keyUsageNames.indexOf(use))))
}

/** ExtKeyUsage of these purposes by OID (RFC 5280 §4.2.1.12). */
export function extKeyUsageExtension(critical: boolean, ...purposes: readonly string[]): Uint8Array {
  return encodeExtension(extensionOid.extKeyUsage, critical, derSequence(...purposes.map(derOid)))
}

/** SubjectKeyIdentifier (RFC 5280 §4.2.1.2). */
export function subjectKeyIdExtension(keyId: Uint8Array): Uint8Array {
  return encodeExtension(extensionOid.subjectKeyIdentifier, false, derOctetString(keyId))
}

/** AuthorityKeyIdentifier with the key identifier alone (RFC 5280 §4.2.1.1). */
export function authorityKeyIdExtension(keyId: Uint8Array): Uint8Array {
  return encodeExtension(extensionOid.authorityKeyIdentifier, false, derSequence(derElement(0x80, keyId)))
}

/** SubjectAltName with exactly one name; critical where the subject is empty (RFC 5280 §4.2.1.6). Throws `der_malformed` for text that is not ASCII where it must be. */
export function alternativeNameExtension(critical: boolean, name: WrittenName): Uint8Array {
  return encodeExtension(extensionOid.subjectAltName, critical, derSequence(encodeGeneralName(name)))
}

/** The alternative names that are written. */
export type WrittenName = { readonly kind: Extract<AlternativeName['kind'], 'email' | 'uri' | 'dns' | 'username'>; readonly value: string }

const generalNameTags = { email: 1, dns: 2, uri: 6 } as const

function encodeGeneralName({ kind, value }: WrittenName): Uint8Array {
  if (kind !== 'username') return derImplicit(generalNameTags[kind], derIa5String(value))
  return derImplicit(0, derSequence(derOid(usernameOid), derExplicit(0, derUtf8String(value))))
}

/** The critical poison that makes a certificate a precertificate, which nobody may use (RFC 6962 §3.1). */
export function poisonExtension(): Uint8Array {
  return encodeExtension(extensionOid.precertificatePoison, true, derNull())
}

/** The SCT extension around an encoded SignedCertificateTimestampList (RFC 6962 §3.3). */
export function sctListExtension(list: Uint8Array): Uint8Array {
  return encodeExtension(extensionOid.sctList, false, derOctetString(list))
}

/** Key identifier of 20 bytes: the leftmost 160 bits of SHA-256 over the key's bits (RFC 7093 §2, method 1). */
export async function keyIdentifier(primitives: Pick<Primitives, 'hash'>, key: PublicKey): Promise<Uint8Array> {
  return (await primitives.hash('sha256', key.raw)).slice(0, 20)
}
