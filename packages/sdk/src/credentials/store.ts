/** `login` and `logout`: keeps and forgets credentials where Docker, Podman and cosign find them. */
import { mkdir, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { bytesToBase64 } from '@countersign/core/base64'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { replaceWhole } from '../durable-file.ts'
import { systemCode } from '../file-failure.ts'
import { parseAuthDocument, readAuthFile, readIfThere } from './auth-file.ts'
import { dockerConfigPath } from './find.ts'
import { eraseFromHelper, storeInHelper, type HelperCall } from './helper.ts'
import { normalizeKey, storageKey } from './registry-key.ts'

/** A place to keep credentials in. */
export type CredentialStore = {
  readonly registry: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Milliseconds that a helper may take; default 30,000. */
  readonly helperTimeoutMs?: number
}

/** What `login` keeps. */
export type LoginRequest = CredentialStore & { readonly username: string; readonly password: string }

/**
 * Keeps a user name and password for a registry: in the helper that Docker's configuration names, else in the file (`REGISTRY_AUTH_FILE`, or
 * Docker's `config.json`), mode 0600, replaced as a whole, every other field kept. Gives where it went, for a message.
 * Throws `credentials_malformed`, `credential_helper_failed`, `io_failed`, `usage` without a home folder.
 */
export async function storeCredentials(request: LoginRequest): Promise<{ readonly storedIn: string }> {
  const path = filePath(request.environment)
  const key = storageKey(request.registry)
  const helper = await helperFor(path, request)
  if (helper !== undefined) {
    await storeInHelper(helper, key, request.username, request.password)
    return { storedIn: `docker-credential-${helper.name}` }
  }
  const auth = bytesToBase64(utf8(`${request.username}:${request.password}`))
  await rewrite(path, (auths) => ({ ...without(auths, request.registry), [key]: { auth } }))
  return { storedIn: path }
}

/** Forgets the credentials of a registry in the helper and in the file. False when there were none. Throws as {@link storeCredentials}. */
export async function eraseCredentials(request: CredentialStore): Promise<boolean> {
  const path = filePath(request.environment)
  const helper = await helperFor(path, request)
  const erased = helper !== undefined && (await eraseFromHelper(helper, storageKey(request.registry)))
  const known = (await readAuthFile(path))?.secrets.has(normalizeKey(request.registry)) === true
  if (known) await rewrite(path, (auths) => without(auths, request.registry))
  return erased || known
}

function filePath(environment: CredentialStore['environment']): string {
  const named = environment['REGISTRY_AUTH_FILE']
  const path = named !== undefined && named !== '' ? named : dockerConfigPath(environment)
  if (path !== undefined) return path
  throw new CountersignError('usage', 'there is no place to keep credentials in', {
    hint: 'Set HOME, DOCKER_CONFIG or REGISTRY_AUTH_FILE.',
  })
}

async function helperFor(path: string, request: CredentialStore): Promise<HelperCall | undefined> {
  const file = await readAuthFile(path)
  const name = file?.helpers.get(normalizeKey(request.registry)) ?? file?.store
  if (name === undefined) return undefined
  return { name, environment: request.environment, timeoutMs: request.helperTimeoutMs ?? 30_000 }
}

type Auths = Readonly<Record<string, unknown>>

function without(auths: Auths, registry: string): Auths {
  const gone = normalizeKey(registry)
  return Object.fromEntries(Object.entries(auths).filter(([key]) => normalizeKey(key) !== gone))
}

async function targetOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return path
    throw new CountersignError('io_failed', `the credentials file ${path} could not be written`, { cause })
  }
}

/** Replaces `auths` of a file that other programs also own: a crash leaves the old file or the new one, never half of either. */
async function rewrite(path: string, change: (auths: Auths) => Auths): Promise<void> {
  const bytes = (await readIfThere(path)) ?? utf8('{}')
  parseAuthDocument(bytes, path)
  const document = (bytes.length === 0 ? {} : JSON.parse(fromUtf8(bytes))) as Record<string, unknown>
  // Some keep the file elsewhere and link to it: the link stays.
  const target = await targetOf(path)
  const next = { ...document, auths: change((document['auths'] ?? {}) as Auths) }
  try {
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await replaceWhole(target, `${JSON.stringify(next, null, '\t')}\n`, 0o600)
  } catch (cause) {
    throw new CountersignError('io_failed', `the credentials file ${path} could not be written`, { cause })
  }
}
