/** Writes TUF metadata (TUF specification 1.0.31 §4.3 to §4.6): the part that is signed, and the document around it. */
import { bytesToHex, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { encodePublicKeyPem, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import { tufCanonicalJson } from './canonical.ts'
import { tufRoles, type TufKey, type TufRole, type TufRoot, type TufSignature, type TufTarget } from './model.ts'

const specVersion = '1.0.31'

/** A key under its id. Throws `key_unsupported` for anything but P-256, which every client reads. */
export async function tufKey(publicKey: PublicKey, primitives: Pick<Primitives, 'hash'>): Promise<TufKey> {
  if (publicKey.type !== 'ec-p256') {
    throw new CountersignError('key_unsupported', 'keys of a TUF repository are ECDSA P-256 here', { found: publicKey.type })
  }
  return { id: bytesToHex(await primitives.hash('sha256', tufCanonicalJson(keyJson(publicKey)))), publicKey }
}

function keyJson(publicKey: PublicKey): JsonObject {
  return { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: encodePublicKeyPem(publicKey) } }
}

/** §4.3. Throws `tuf_malformed` for a threshold that its keys cannot reach, or that is none. */
export function rootContent(root: TufRoot): JsonObject {
  const keys: Record<string, JsonValue> = {}
  const roles: Record<string, JsonValue> = {}
  for (const role of tufRoles) {
    const wanted = root.roles[role]
    const keyids = [...new Set(wanted.keys.map(({ id }) => id))]
    if (wanted.threshold < 1 || wanted.threshold > keyids.length) {
      throw new CountersignError('tuf_malformed', `the role ${role} needs ${wanted.threshold} signatures and has ${keyids.length} keys`)
    }
    for (const { id, publicKey } of wanted.keys) keys[id] = keyJson(publicKey)
    roles[role] = { keyids, threshold: wanted.threshold }
  }
  return { ...head('root', root.version, root.expiresMs), consistent_snapshot: true, keys, roles }
}

/** §4.5. */
export function targetsContent(version: number, expiresMs: number, targets: ReadonlyMap<string, TufTarget>): JsonObject {
  const listed: Record<string, JsonValue> = {}
  for (const [name, { length, sha256, custom }] of targets) {
    listed[name] = { length, hashes: { sha256 }, ...(custom === undefined ? {} : { custom }) }
  }
  return { ...head('targets', version, expiresMs), targets: listed }
}

/** What snapshot and timestamp say of another role's file. */
export type TufFile = { readonly version: number; readonly length: number; readonly sha256: string }

/** §4.4. */
export function snapshotContent(version: number, expiresMs: number, targets: TufFile): JsonObject {
  return { ...head('snapshot', version, expiresMs), meta: { 'targets.json': fileJson(targets) } }
}

/** §4.6. */
export function timestampContent(version: number, expiresMs: number, snapshot: TufFile): JsonObject {
  return { ...head('timestamp', version, expiresMs), meta: { 'snapshot.json': fileJson(snapshot) } }
}

/** The document of any role, indented, since people read it before they sign it. */
export function encodeTufMetadata(content: JsonObject, signatures: readonly TufSignature[]): Uint8Array {
  const listed = signatures.map(({ keyId, signature }) => ({ keyid: keyId, sig: signature }))
  return utf8(`${JSON.stringify({ signatures: listed, signed: content }, undefined, 1)}\n`)
}

/** §4.2.1: times are written in whole seconds of UTC. */
function head(role: TufRole, version: number, expiresMs: number): JsonObject {
  const expires = `${new Date(expiresMs).toISOString().slice(0, 19)}Z`
  return { _type: role, spec_version: specVersion, version, expires }
}

function fileJson({ version, length, sha256 }: TufFile): JsonObject {
  return { version, length, hashes: { sha256 } }
}
