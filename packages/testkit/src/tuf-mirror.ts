/** A TUF repository in memory, and a mirror of it on loopback: metadata written by hand, so that every lie can be told and signed. */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fromUtf8 } from '@countersign/core/bytes'
import { canonicalJson } from '@countersign/core/json/canonical'
import type { JsonObject, JsonValue } from '@countersign/core/json/parse'

/** A key of a role. */
export type MirrorKey = { readonly id: string; readonly json: JsonObject; readonly privateKey: KeyObject }

/** A fresh ECDSA key. */
export function tufKey(): MirrorKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = publicKey.export({ format: 'pem', type: 'spki' }).toString()
  const json = { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: pem } }
  return { id: createHash('sha256').update(olpc(json)).digest('hex'), json, privateKey }
}

/** OLPC canonical JSON: as RFC 8785, but that a string escapes nothing except `"` and `\`. */
function olpc(value: JsonValue): string {
  return fromUtf8(canonicalJson(value)).replaceAll('\\n', '\n')
}

/** What one state of the repository says; a test changes what it wants to lie about. */
export type TufState = {
  readonly rootVersion: number
  readonly version: number
  readonly expires: { readonly [role in 'root' | 'timestamp' | 'snapshot' | 'targets']: Date }
  readonly targets: Readonly<Record<string, string>>
  /** Keys that the root names, and keys that sign the other roles. */
  readonly key: MirrorKey
  readonly signer?: MirrorKey
  /** Keys that sign the root; default: `key`. */
  readonly rootSigners?: readonly MirrorKey[]
}

const dayMs = 24 * 60 * 60 * 1000

/** A sound state: everything expires in `days`. */
export function tufState(key: MirrorKey, targets: Readonly<Record<string, string>>, days = 30): TufState {
  const end = new Date(Date.now() + days * dayMs)
  return { rootVersion: 1, version: 1, expires: { root: end, timestamp: end, snapshot: end, targets: end }, targets, key }
}

/** The files that a mirror serves for a state, by path. */
export function tufFiles(state: TufState): Map<string, Uint8Array> {
  const { key, version, signer = key } = state
  const files = new Map<string, Uint8Array>()
  const role = { keyids: [key.id], threshold: 1 }
  const root = {
    ...head('root', state.rootVersion, state.expires.root),
    consistent_snapshot: true,
    keys: { [key.id]: key.json },
    roles: { root: role, timestamp: role, snapshot: role, targets: role },
  }
  files.set(`/${state.rootVersion}.root.json`, signed(root, state.rootSigners ?? [key]))
  const listed: Record<string, JsonObject> = {}
  for (const [name, content] of Object.entries(state.targets)) {
    const bytes = Buffer.from(content)
    files.set(`/targets/${sha256(bytes)}.${name}`, bytes)
    listed[name] = { length: bytes.length, hashes: { sha256: sha256(bytes) } }
  }
  const targets = signed({ ...head('targets', version, state.expires.targets), targets: listed }, [signer])
  const snapshot = signed({ ...head('snapshot', version, state.expires.snapshot), meta: { 'targets.json': about(targets, version) } }, [
    signer,
  ])
  const timestamp = { ...head('timestamp', version, state.expires.timestamp), meta: { 'snapshot.json': about(snapshot, version) } }
  files.set(`/${version}.targets.json`, targets)
  files.set(`/${version}.snapshot.json`, snapshot)
  files.set('/timestamp.json', signed(timestamp, [signer]))
  return files
}

function head(type: string, version: number, expires: Date): JsonObject {
  return { _type: type, spec_version: '1.0.31', version, expires: expires.toISOString().replace(/\.[0-9]+Z$/, 'Z') }
}

function about(bytes: Uint8Array, version: number): JsonObject {
  return { version, length: bytes.length, hashes: { sha256: sha256(bytes) } }
}

function signed(content: JsonObject, keys: readonly MirrorKey[]): Uint8Array {
  const message = Buffer.from(olpc(content))
  const signatures = keys.map(({ id, privateKey }) => ({ keyid: id, sig: sign('sha256', message, privateKey).toString('hex') }))
  return Buffer.from(JSON.stringify({ signatures, signed: content }))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A running mirror. */
export type TufMirror = {
  readonly url: string
  /** What it serves; a test may add, change and delete. */
  readonly files: Map<string, Uint8Array>
  /** Paths that were asked for, in order. */
  readonly asked: string[]
  /** Paths that are answered without end, or never. */
  readonly endless: Set<string>
  readonly silent: Set<string>
  /** Holds the next request of a path until the function that it gives is called; what is served is what is there at its beginning. */
  readonly hold: (path: string) => () => void
  /** Adds the files of a state. */
  readonly show: (state: TufState) => void
  readonly stop: () => Promise<void>
}

/** Starts a mirror on a free port of loopback. */
export async function startTufMirror(state?: TufState): Promise<TufMirror> {
  const files = state === undefined ? new Map<string, Uint8Array>() : tufFiles(state)
  const [asked, endless, silent] = [[] as string[], new Set<string>(), new Set<string>()]
  const held = new Map<string, Promise<void>>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const waiting = held.get(path)
    held.delete(path)
    if (waiting !== undefined) {
      const bytes = files.get(path)
      void waiting.then(() => response.end(bytes))
      return
    }
    if (silent.has(path)) return
    if (endless.has(path)) {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 0x20)));
        response.once('drain', more)
      }
      return more()
    }
    const bytes = files.get(path)
    response.statusCode = bytes === undefined ? 404 : 200
    response.end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    asked,
    endless,
    silent,
    hold: (path) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(path, promise)
      return resolve
    },
    show: (next) => {
      for (const [path, bytes] of tufFiles(next)) files.set(path, bytes)
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
