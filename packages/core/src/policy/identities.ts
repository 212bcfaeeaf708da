/** Reads the identities of a policy, and the keys of its revocation lists. */
import { parseDigest } from '../digest.ts'
import {
  entries,
  isAbsent,
  items,
  members,
  oneMember,
  optional,
  optionalItems,
  refuse,
  refuseTwice,
  text,
  placed,
  rootPlace,
  type Place,
} from '../json/shape.ts'
import { extensionArcs } from './extensions.ts'
import { bounded, isObject, readBoolean, readName, readNameMatch, readWindow, textUpTo } from './fields.ts'
import type { KeySource, PolicyIdentity, PolicyKey, RevocationSource } from './model.ts'
import { readOwnCertificate } from './own-certificates.ts'

const maxIdentities = 256
const maxKeys = 16
const maxRoles = 16
const maxExtensions = 32
const maxLists = 8
const maxPem = 16_384

/** Reads `identities`: a name for each. Fails with the code of the place. */
export function readIdentities(at: Place): ReadonlyMap<string, PolicyIdentity> {
  const identities = new Map<string, PolicyIdentity>()
  for (const [name, place] of entries(at, maxIdentities)) {
    readName(placed(place, name))
    identities.set(name, readIdentity(name, place))
  }
  return identities
}

function readIdentity(name: string, at: Place): PolicyIdentity {
  const field = members(at, ['keys', 'certificate', 'x509', 'person', 'roles'])
  const person = optional(field('person'), readName)
  const roles = optionalItems(field('roles'), maxRoles).map(readName)
  const kind = oneMember(at, field, ['keys', 'certificate', 'x509'])
  const place = field(kind)
  const signer =
    kind === 'keys' ? { kind, keys: readKeys(place) } : kind === 'certificate' ? readCertificateMatch(place) : readOwnCertificate(place)
  return { name, signer, ...(person === undefined ? {} : { person }), roles, path: at.path }
}

/** Reads a list of keys; at least one. */
function readKeys(at: Place): readonly PolicyKey[] {
  const keys = items(at, maxKeys).map(readKey)
  return keys.length === 0 ? refuse(at, 'no key') : keys
}

function readKey(at: Place): PolicyKey {
  if (!isObject(at)) return { source: { kind: 'pem', pem: textUpTo(at, maxPem) }, path: at.path }
  const field = members(at, ['pem', 'name', 'fingerprint', 'validFrom', 'validUntil'])
  const kind = oneMember(at, field, ['pem', 'name', 'fingerprint'])
  const validFor = readWindow(field('validFrom'), field('validUntil'))
  return { source: readSource(kind, field(kind)), ...(validFor === undefined ? {} : { validFor }), path: at.path }
}

function readSource(kind: KeySource['kind'], at: Place): KeySource {
  if (kind === 'pem') return { kind, pem: textUpTo(at, maxPem) }
  if (kind === 'name') return { kind, name: bounded(at) }
  const fingerprint = text(at)
  return parseDigest(fingerprint)?.startsWith('sha256:') === true
    ? { kind, fingerprint }
    : refuse(at, 'not a fingerprint', { expected: 'sha256: and 64 lower-case hex digits of the SubjectPublicKeyInfo' })
}

function readCertificateMatch(at: Place): Extract<PolicyIdentity['signer'], { kind: 'certificate' }> {
  const field = members(at, ['issuer', 'subject', 'extensions', 'validFrom', 'validUntil'])
  const validFor = readWindow(field('validFrom'), field('validUntil'))
  const extensions = isAbsent(field('extensions'))
    ? []
    : entries(field('extensions'), maxExtensions).map(([name, place]) => [readArc(name, place), readNameMatch(place)] as const)
  return {
    kind: 'certificate',
    issuer: readNameMatch(field('issuer')),
    subject: readNameMatch(field('subject')),
    extensions: new Map(extensions),
    ...(validFor === undefined ? {} : { validFor }),
  }
}

/** A name of the table, or the last arc itself for extensions younger than this table. */
function readArc(name: string, at: Place): string {
  if (Object.hasOwn(extensionArcs, name)) return extensionArcs[name] ?? name
  return /^[1-9][0-9]{0,5}$/.test(name)
    ? name
    : refuse(at, 'no extension of Fulcio', { expected: `${Object.keys(extensionArcs).join(', ')}, or the last arc of its OID` })
}

/** Reads `revocations`. Fails with the code of the place. */
export function readRevocations(at: Place): readonly RevocationSource[] {
  if (isAbsent(at)) return []
  const sources = items(at, maxLists).map((place) => {
    const field = members(place, ['name', 'keys', 'threshold', 'minVersion', 'required'])
    const keys = readKeys(field('keys'))
    // Nothing proves when a list was signed: a window would be compared with a time that its signer chose.
    const windowed = keys.find(({ validFor }) => validFor !== undefined)
    if (windowed !== undefined) refuse(rootPlace(undefined, at.code, windowed.path), 'a key of a revocation list has no window')
    const threshold = optional(field('threshold'), readPositive) ?? 1
    if (threshold > keys.length) refuse(field('threshold'), `${threshold} of ${keys.length} keys can never sign`)
    const minVersion = optional(field('minVersion'), readPositive) ?? 1
    return { name: readName(field('name')), keys, threshold, minVersion, required: readBoolean(field('required'), true), path: place.path }
  })
  refuseTwice(at, sources, 'lists')
  return sources
}

/** An integer from 1 to 2^53-1. */
export function readPositive(at: Place): number {
  const { value } = at
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : refuse(at, 'expected an integer of at least 1')
}
