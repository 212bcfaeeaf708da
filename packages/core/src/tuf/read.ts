/** Reads TUF metadata, bounded (TUF specification 1.0.31 §4); every failure is `tuf_malformed`. Nothing here is verified. */
import { CountersignError } from '../failure.ts'
import { parseJsonAs, type JsonObject } from '../json/parse.ts'
import {
  count,
  documentPlace,
  entries,
  isAbsent,
  items,
  members,
  oneOf,
  openMembers,
  readObject,
  refuse,
  rootPlace,
  text,
  type Place,
} from '../json/shape.ts'
import { parsePublicKeyPem, type PublicKey } from '../keys/public-key.ts'
import { parseTime } from '../trust/time-range.ts'
import {
  tufRoles,
  type TufKey,
  type TufMetadata,
  type TufRole,
  type TufRoleKeys,
  type TufRoot,
  type TufSignature,
  type TufTarget,
} from './model.ts'

/** Largest metadata of each role, bytes: what sigstore-go reads. */
export const tufMetadataLimits: Readonly<Record<TufRole, number>> = {
  root: 512_000,
  targets: 5_000_000,
  snapshot: 2_000_000,
  timestamp: 16_384,
}

const code = 'tuf_malformed'
const maxSignatures = 64
const maxTargets = 10_000

/** Reads metadata of any role. */
export function parseTufMetadata(document: Uint8Array | string): TufMetadata {
  const { value } = parseJsonAs(code, 'the TUF metadata', document, { maxBytes: 5_000_000 })
  const field = members(documentPlace(value, code), ['signatures', 'signed'])
  const content: JsonObject = readObject(field('signed'))
  const signed = openMembers(field('signed'))
  const expires = text(signed('expires'))
  return {
    role: oneOf(signed('_type'), tufRoles),
    version: count(signed('version')) || refuse(signed('version'), 'versions begin at 1'),
    expiresMs: parseTime(expires) ?? refuse(signed('expires'), 'not an RFC 3339 time', { found: expires.slice(0, 40) }),
    content,
    signatures: readSignatures(field('signatures')),
  }
}

/** §4.2: of two signatures of one key, one reader might take the first and another the last. */
function readSignatures(at: Place): readonly TufSignature[] {
  const signatures = items(at, maxSignatures).map((item) => {
    const field = members(item, ['keyid', 'sig'])
    return { keyId: hex(field('keyid')), signature: hex(field('sig')) }
  })
  if (new Set(signatures.map(({ keyId }) => keyId)).size !== signatures.length) refuse(at, 'two signatures of one key')
  return signatures
}

function hex(at: Place): string {
  const found = text(at)
  return /^(?:[0-9a-f]{2}){1,512}$/.test(found) ? found : refuse(at, 'expected lower-case hex')
}

/** What a root says. Keys that are not ECDSA P-256 in PEM are refused: ours has no others. */
export function readTufRoot(metadata: TufMetadata): TufRoot {
  const signed = openMembers(rolePlace(metadata, 'root'))
  const keys = new Map(entries(signed('keys'), maxSignatures).map(([id, at]) => [id, { id, publicKey: readKey(at) }]))
  const roles = openMembers(signed('roles'))
  const read = (role: TufRole): TufRoleKeys => readRoleKeys(roles(role), keys)
  const { version, expiresMs } = metadata
  return {
    version,
    expiresMs,
    roles: { root: read('root'), targets: read('targets'), snapshot: read('snapshot'), timestamp: read('timestamp') },
  }
}

function readRoleKeys(at: Place, keys: ReadonlyMap<string, TufKey>): TufRoleKeys {
  const field = openMembers(at)
  const ids = items(field('keyids'), maxSignatures).map((item) => keys.get(text(item)) ?? refuse(item, 'a key that is not listed'))
  const threshold = count(field('threshold'))
  // §4.3: a key counts once, however often it is named.
  if (threshold < 1 || new Set(ids).size < threshold) refuse(field('threshold'), 'a threshold that the keys cannot reach')
  return { keys: ids, threshold }
}

function readKey(at: Place): PublicKey {
  const field = openMembers(at)
  oneOf(field('keytype'), ['ecdsa', 'ecdsa-sha2-nistp256'])
  oneOf(field('scheme'), ['ecdsa-sha2-nistp256'])
  const pem = openMembers(field('keyval'))('public')
  try {
    const key = parsePublicKeyPem(text(pem))
    return key.type === 'ec-p256' ? key : refuse(pem, 'not a key on P-256')
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return refuse(pem, cause.message, { cause })
  }
}

/** The files that metadata of the role `targets` names. */
export function readTufTargets(metadata: TufMetadata): ReadonlyMap<string, TufTarget> {
  const signed = openMembers(rolePlace(metadata, 'targets'))
  const read = (at: Place): TufTarget => {
    const field = openMembers(at)
    const custom = field('custom')
    const target = { length: count(field('length')), sha256: text(openMembers(field('hashes'))('sha256')) }
    return isAbsent(custom) ? target : { ...target, custom: readObject(custom) }
  }
  return new Map(entries(signed('targets'), maxTargets).map(([name, at]) => [name, read(at)]))
}

function rolePlace(metadata: TufMetadata, role: TufRole): Place {
  if (metadata.role !== role) throw new CountersignError(code, `metadata of the role ${metadata.role} in place of ${role}`)
  return rootPlace(metadata.content, code, '$.signed')
}
