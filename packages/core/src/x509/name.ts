/** Distinguished names: compared as bytes, shown as text (RFC 5280 §4.1.2.4, RFC 4514). */
import { bytesToHex } from '../bytes.ts'
import { readOid, readSequence, readSet, readString, type DerNode } from '../der/reader.ts'
import { CountersignError } from '../failure.ts'

/** A distinguished name. Two names are the same only when `raw` is. */
export type DistinguishedName = {
  /** The Name, DER, exactly as found. */
  readonly raw: Uint8Array
  /** After RFC 4514: the last component first, special characters escaped. For people, and for comparison with what a person wrote; never with another name. */
  readonly text: string
  /** The common name; absent when there is none, or more than one: then nobody could say which is meant. */
  readonly commonName?: string
}

const commonNameOid = '2.5.4.3'

const keywords: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** Reads a Name. Throws `der_malformed`. */
export function readName(node: DerNode | undefined): DistinguishedName {
  const parts = readSequence(node).map((part) => readSet(part).map(attribute))
  const text = parts
    .map((part) => part.map(({ oid, value }) => `${keywords[oid] ?? oid}=${attributeText(value)}`).join('+'))
    .toReversed()
    .join(',')
  const [common, another] = parts.flat().filter(({ oid }) => oid === commonNameOid)
  const commonName = another === undefined && common !== undefined ? plainText(common.value) : undefined
  return { raw: (node as DerNode).raw, text, ...(commonName === undefined ? {} : { commonName }) }
}

function attribute(node: DerNode): { readonly oid: string; readonly value: DerNode | undefined } {
  const [type, value] = readSequence(node)
  return { oid: readOid(type), value }
}

/** A value that is text, without control characters: a NUL or newline would make two readers see two names. */
function plainText(value: DerNode | undefined): string | undefined {
  try {
    const text = readString(value)
    // oxlint-disable-next-line no-control-regex -- control characters are what is refused
    return text === '' || /[\u0000-\u001f\u007f-\u009f]/.test(text) ? undefined : text
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return undefined
  }
}

function attributeText(value: DerNode | undefined): string {
  try {
    return escapeValue(readString(value))
  } catch (cause) {
    // RFC 4514 §2.4: a value without a string form is shown as hex. A name is legible or not; it is trusted by its bytes.
    if (!(cause instanceof CountersignError) || value === undefined) throw cause
    return `#${bytesToHex(value.raw)}`
  }
}

/** RFC 4514 §2.4; control characters too, so that no name can drive a terminal. */
function escapeValue(text: string): string {
  const escaped = text
    .replaceAll(/[\\",+;<>]/g, String.raw`\$&`)
    // oxlint-disable-next-line no-control-regex -- control characters are what is being escaped
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
  return escaped.replace(/^[ #]/, String.raw`\$&`).replace(/ $/, String.raw`\ `)
}
