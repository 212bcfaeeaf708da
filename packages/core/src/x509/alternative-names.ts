/** Subject alternative names (RFC 5280 §4.2.1.6): who a certificate speaks for. */
import { derMalformed } from '../der/element.ts'
import { ascii, oidFromContent, parseDer, readExplicit, readSequence, readUtf8String, type DerNode } from '../der/reader.ts'
import { readName } from './name.ts'

/** Sigstore's OtherName for user names (fulcio, docs/oid-info.md, 1.3.6.1.4.1.57264.1.7). */
export const usernameOid = '1.3.6.1.4.1.57264.1.7'

/** One alternative name. `unsupported` is kept so that nobody mistakes a certificate with two names for one with a single name. */
export type AlternativeName =
  | { readonly kind: 'email' | 'dns' | 'uri' | 'username'; readonly value: string }
  | { readonly kind: 'ip'; readonly value: string }
  | { readonly kind: 'directory'; readonly value: string; readonly raw: Uint8Array }
  | { readonly kind: 'unsupported'; readonly value: string; readonly tag: number }

const maxNames = 64

/** Reads SubjectAltName from extnValue: 1 to 64 names. Throws `der_malformed` or `utf8_malformed`. */
export function readAlternativeNames(value: Uint8Array): readonly AlternativeName[] {
  const names = readSequence(parseDer(value))
  if (names.length === 0 || names.length > maxNames) throw derMalformed(`${names.length} alternative names`)
  return names.map(readGeneralName)
}

/** Reads one GeneralName. Throws `der_malformed` or `utf8_malformed`. */
export function readGeneralName(node: DerNode): AlternativeName {
  if (node.class !== 'context') throw derMalformed('a general name has no context tag')
  switch (node.tag) {
    case 0:
      return readOtherName(node)
    case 1:
      return { kind: 'email', value: readable(primitive(node)) }
    case 2:
      return { kind: 'dns', value: readable(primitive(node)) }
    case 4:
      return readDirectoryName(node)
    case 6:
      return { kind: 'uri', value: readable(primitive(node)) }
    case 7:
      return { kind: 'ip', value: ipText(primitive(node)) }
    default:
      return { kind: 'unsupported', value: '', tag: node.tag }
  }
}

function readOtherName(node: DerNode): AlternativeName {
  const [type, value, extra] = node.children()
  if (type === undefined || type.class !== 'universal' || type.tag !== 6 || extra !== undefined)
    throw derMalformed('an OtherName has wrong fields')
  const oid = oidFromContent(type.content)
  const inner = readExplicit(value, 0)
  if (oid !== usernameOid) return { kind: 'unsupported', value: oid, tag: 0 }
  return { kind: 'username', value: noControls(readUtf8String(inner)) }
}

function readDirectoryName(node: DerNode): AlternativeName {
  const name = readName(readExplicit(node, 4))
  return { kind: 'directory', value: name.text, raw: name.raw }
}

function primitive(node: DerNode): Uint8Array {
  if (node.constructed) throw derMalformed('a general name is constructed')
  return node.content
}

function readable(content: Uint8Array): string {
  return noControls(ascii(content))
}

/** Hostile: a NUL or newline in a name makes two readers see two identities. */
function noControls(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) < 0x20 || text.charCodeAt(i) === 0x7f) throw derMalformed('an alternative name holds control characters')
  }
  if (text === '') throw derMalformed('an alternative name is empty')
  return text
}

function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw derMalformed(`an IP address of ${bytes.length} bytes`)
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] as number) * 256 + (bytes[i + 1] as number)).toString(16))
  return groups.join(':')
}
