/** Docker's `config.json` and Podman's `auth.json`: one format (docker/cli config file; containers-auth.json(5)). */
import { readFile } from 'node:fs/promises'
import { base64ToBytes } from '@countersign/core/base64'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonDocument, type JsonObject, type JsonValue } from '@countersign/core/json/parse'
import { systemCode } from '../file-failure.ts'
import type { Secret } from './credential.ts'
import { normalizeKey } from './registry-key.ts'

/** One credentials file, read. Maps have normalized keys. */
export type AuthFile = {
  readonly path: string
  readonly secrets: ReadonlyMap<string, Secret>
  readonly helpers: ReadonlyMap<string, string>
  /** The helper for every registry without its own. */
  readonly store: string | undefined
}

const maxBytes = 1024 * 1024

/** Reads a credentials file; `undefined` when there is none. Throws `credentials_malformed` that names the file and nothing in it. */
export async function readAuthFile(path: string): Promise<AuthFile | undefined> {
  const content = await readIfThere(path)
  if (content === undefined) return undefined
  const document = parseAuthDocument(content, path)
  const secrets = new Map<string, Secret>()
  for (const [key, entry] of Object.entries(objectAt(document['auths'], path, 'auths'))) {
    const secret = readEntry(objectAt(entry, path, 'an entry of auths'), path)
    const name = normalizeKey(key)
    // Two spellings of one registry: the plain host is the newer form.
    if (secret !== undefined && (!secrets.has(name) || key === name)) secrets.set(name, secret)
  }
  const helpers = new Map<string, string>()
  for (const [key, name] of Object.entries(objectAt(document['credHelpers'], path, 'credHelpers'))) {
    helpers.set(normalizeKey(key), textAt(name, path, 'an entry of credHelpers') ?? '')
  }
  const store = textAt(document['credsStore'], path, 'credsStore')
  return { path, secrets, helpers, store: store === '' ? undefined : store }
}

/** The bytes of a file of at most 1 MiB; `undefined` when it does not exist. */
export async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new CountersignError('credentials_malformed', `the credentials file ${path} cannot be read (${String(code)})`, { cause })
  }
  if (bytes.length > maxBytes) throw malformed(path, `is larger than ${maxBytes} bytes`)
  return bytes
}

/** Parses a credentials file as a JSON object. Its failure carries no cause, since parser messages may quote the document. */
export function parseAuthDocument(bytes: Uint8Array, path: string): JsonObject {
  try {
    return objectAt(bytes.length === 0 ? {} : parseJsonDocument(bytes).value, path, 'the document')
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === 'credentials_malformed') throw error
    throw malformed(path, `is not JSON (${error.code})`)
  }
}

function objectAt(value: JsonValue | undefined, path: string, what: string): JsonObject {
  if (value === undefined || value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw malformed(path, `is malformed: ${what} is not an object`)
  return value as JsonObject
}

function textAt(value: JsonValue | undefined, path: string, what: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw malformed(path, `is malformed: ${what} is not text`)
  return value
}

function readEntry(entry: JsonObject, path: string): Secret | undefined {
  const field = (name: string): string => textAt(entry[name], path, name) ?? ''
  if (field('registrytoken') !== '') return { kind: 'registry_token', token: field('registrytoken') }
  if (field('identitytoken') !== '') return { kind: 'identity', token: field('identitytoken') }
  if (field('auth') !== '') return decodeAuth(field('auth'), path)
  if (field('username') !== '') return { kind: 'basic', username: field('username'), password: field('password') }
  return undefined
}

function decodeAuth(auth: string, path: string): Secret {
  let pair: string
  try {
    pair = fromUtf8(base64ToBytes(auth))
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    throw malformed(path, 'is malformed: an auth field is not base64 of UTF-8')
  }
  const colon = pair.indexOf(':')
  if (colon < 1) throw malformed(path, 'is malformed: an auth field is not base64 of "username:password"')
  // Docker pads passwords with NUL when it writes them, and strips them when it reads.
  return { kind: 'basic', username: pair.slice(0, colon), password: pair.slice(colon + 1).replace(/\0+$/, '') }
}

function malformed(path: string, detail: string): CountersignError {
  return new CountersignError('credentials_malformed', `the credentials file ${path} ${detail}`, {
    hint: 'Log in again, or repair the file.',
  })
}
