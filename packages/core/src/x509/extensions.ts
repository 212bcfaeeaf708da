/** Values of the certificate extensions that decide about trust (RFC 5280 §4.2.1). */
import {
  isContext,
  isUniversal,
  derTag,
  parseDer,
  readBitString,
  readBoolean,
  readOctetString,
  readOid,
  readSequence,
  readSmallInteger,
  type DerNode,
} from '../der/reader.ts'
import { derMalformed } from '../der/element.ts'

/** One extension as found. */
export type Extension = {
  readonly oid: string
  readonly critical: boolean
  /** The content of extnValue. */
  readonly value: Uint8Array
}

/** RFC 5280 §4.2.1.9. */
export type BasicConstraints = { readonly ca: boolean; readonly pathLength?: number }

/** The named bits of KeyUsage (RFC 5280 §4.2.1.3), in the order of their numbers. */
export const keyUsageNames = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const

/** One use that a key may have. */
export type KeyUsage = (typeof keyUsageNames)[number]

/** RFC 5280 §4.2.1.1. */
export type AuthorityKeyIdentifier = { readonly keyId?: Uint8Array; readonly serial?: Uint8Array }

const maxPurposes = 32
const maxExtensions = 64

/** Reads Extensions: at most 64, none twice. Throws `der_malformed`. */
export function readExtensions(node: DerNode): ReadonlyMap<string, Extension> {
  const elements = readSequence(node)
  if (elements.length === 0 || elements.length > maxExtensions) throw derMalformed(`${elements.length} extensions`)
  const extensions = new Map<string, Extension>()
  for (const element of elements) {
    const extension = readExtension(element)
    // RFC 5280 §4.2. Hostile: of two, one parser may read the first and another the last.
    if (extensions.has(extension.oid)) throw derMalformed(`extension ${extension.oid} occurs twice`)
    extensions.set(extension.oid, extension)
  }
  return extensions
}

/** A FALSE that is written out (X.690 §11.5 forbids it) is let pass, here and in BasicConstraints: authorities of the real world write it. */
function readExtension(node: DerNode): Extension {
  const fields = readSequence(node)
  const hasCritical = isUniversal(fields[1], derTag.boolean)
  if (fields.length !== (hasCritical ? 3 : 2)) throw derMalformed('an extension has a wrong number of fields')
  return { oid: readOid(fields[0]), critical: hasCritical && readBoolean(fields[1]), value: readOctetString(fields.at(-1)) }
}

/** Reads BasicConstraints from extnValue. Throws `der_malformed`. */
export function readBasicConstraints(value: Uint8Array): BasicConstraints {
  const fields = readSequence(parseDer(value))
  const hasCa = isUniversal(fields[0], derTag.boolean)
  const ca = hasCa && readBoolean(fields[0])
  const rest = fields.slice(hasCa ? 1 : 0)
  if (rest.length > 1) throw derMalformed('BasicConstraints has too many fields')
  const pathLength = rest[0] === undefined ? undefined : readSmallInteger(rest[0])
  if (pathLength !== undefined && !ca) throw derMalformed('BasicConstraints limits the path of what is no authority')
  return pathLength === undefined ? { ca } : { ca, pathLength }
}

/** Reads KeyUsage from extnValue. Throws `der_malformed`. */
export function readKeyUsage(value: Uint8Array): ReadonlySet<KeyUsage> {
  const { bytes, unusedBits } = readBitString(parseDer(value))
  const count = bytes.length * 8 - unusedBits
  if (count > keyUsageNames.length) throw derMalformed('KeyUsage has bits without a name')
  return new Set(keyUsageNames.filter((_, bit) => bit < count && (((bytes[bit >> 3] as number) << (bit & 7)) & 0x80) !== 0))
}

/** Reads ExtKeyUsage from extnValue as object identifiers. Throws `der_malformed`. */
export function readExtKeyUsage(value: Uint8Array): readonly string[] {
  const purposes = readSequence(parseDer(value)).map(readOid)
  if (purposes.length === 0 || purposes.length > maxPurposes) throw derMalformed(`ExtKeyUsage with ${purposes.length} purposes`)
  return purposes
}

/** Reads SubjectKeyIdentifier from extnValue. Throws `der_malformed`. */
export function readSubjectKeyIdentifier(value: Uint8Array): Uint8Array {
  return readOctetString(parseDer(value))
}

/** Reads AuthorityKeyIdentifier from extnValue; the issuer's names in it are not kept. Throws `der_malformed`. */
export function readAuthorityKeyIdentifier(value: Uint8Array): AuthorityKeyIdentifier {
  const fields = readSequence(parseDer(value))
  if (
    fields.length > 3 ||
    !fields.every((field, i) => field.class === 'context' && field.tag <= 2 && field.tag > (fields[i - 1]?.tag ?? -1))
  ) {
    throw derMalformed('AuthorityKeyIdentifier has unknown fields')
  }
  const keyId = fields.find((field) => isContext(field, 0))?.content
  const serial = fields.find((field) => isContext(field, 2))?.content
  return { ...(keyId && { keyId }), ...(serial && { serial }) }
}
