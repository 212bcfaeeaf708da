/** Distinguished names as they are written. */
import { derOid, derPrintableString, derSequence, derSet, derUtf8String } from '../der/writer.ts'

/** Attributes of a name that the platform writes. */
export type NameFields = { readonly country?: string; readonly organization?: string; readonly commonName?: string }

/** A Name, DER: country, organization, common name, those that are given. The empty value gives the empty name. */
export function encodeName(fields: NameFields): Uint8Array {
  const parts = [
    ...(fields.country === undefined ? [] : [attribute('2.5.4.6', derPrintableString(fields.country))]),
    ...(fields.organization === undefined ? [] : [attribute('2.5.4.10', derUtf8String(fields.organization))]),
    ...(fields.commonName === undefined ? [] : [attribute('2.5.4.3', derUtf8String(fields.commonName))]),
  ]
  return derSequence(...parts)
}

function attribute(oid: string, value: Uint8Array): Uint8Array {
  return derSet(derSequence(derOid(oid), value))
}
