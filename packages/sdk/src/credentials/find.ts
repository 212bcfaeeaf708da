/** Finds the credentials of a repository: what the caller gave, then Podman's and Docker's files and their helpers. */
import { join } from 'node:path'
import { readAuthFile, type AuthFile } from './auth-file.ts'
import type { Credential } from './credential.ts'
import { getFromHelper } from './helper.ts'
import { candidateKeys, storageKey } from './registry-key.ts'

/** Where to look. */
export type CredentialSearch = {
  readonly registry: string
  /** Path inside the registry; Podman's files may hold credentials per namespace. */
  readonly repository: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly username?: string
  readonly password?: string
  readonly token?: string
  /** Milliseconds that a helper may take; default 30,000. */
  readonly helperTimeoutMs?: number
}

/**
 * The credential of a repository, or `undefined` for anonymous access. First found: `--registry-token`, `--registry-username`,
 * then the files of {@link authFilePaths}. Throws `credentials_malformed`, `credential_helper_failed`.
 */
export async function findCredential(search: CredentialSearch): Promise<Credential | undefined> {
  if (search.token !== undefined) return { secret: { kind: 'registry_token', token: search.token }, source: 'the token given' }
  if (search.username !== undefined) {
    const secret = { kind: 'basic', username: search.username, password: search.password ?? '' } as const
    return { secret, source: 'the user name and password given' }
  }
  const keys = candidateKeys(search.registry, search.repository)
  for (const path of authFilePaths(search.environment)) {
    const file = await readAuthFile(path)
    const found = file === undefined ? undefined : await findInFile(file, keys, search)
    if (found !== undefined) return found
  }
  return undefined
}

async function findInFile(file: AuthFile, keys: readonly string[], search: CredentialSearch): Promise<Credential | undefined> {
  const host = keys.at(-1) as string
  const named = keys.map((key) => [key, file.helpers.get(key)] as const).find(([, name]) => name !== undefined)
  const name = named?.[1] ?? file.store
  if (name !== undefined) {
    const key = named === undefined || named[0] === host ? storageKey(search.registry) : named[0]
    const call = { name, environment: search.environment, timeoutMs: search.helperTimeoutMs ?? 30_000 }
    const secret = await getFromHelper(call, key)
    if (secret !== undefined) return { secret, source: `docker-credential-${name}` }
  }
  for (const key of keys) {
    const secret = file.secrets.get(key)
    if (secret !== undefined) return { secret, source: file.path }
  }
  return undefined
}

/** The files that may hold credentials, the first wins: `REGISTRY_AUTH_FILE`, Docker's `config.json`, Podman's `auth.json` files. */
export function authFilePaths(environment: Readonly<Record<string, string | undefined>>): readonly string[] {
  const home = environment['HOME'] ?? environment['USERPROFILE']
  const config = environment['XDG_CONFIG_HOME'] ?? (home === undefined ? undefined : join(home, '.config'))
  const runtime = environment['XDG_RUNTIME_DIR']
  return [
    environment['REGISTRY_AUTH_FILE'],
    dockerConfigPath(environment),
    runtime === undefined ? undefined : join(runtime, 'containers', 'auth.json'),
    config === undefined ? undefined : join(config, 'containers', 'auth.json'),
  ].filter((path) => path !== undefined && path !== '') as string[]
}

/** Docker's config file: in `DOCKER_CONFIG`, else in the home folder; `undefined` without either. */
export function dockerConfigPath(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const folder = environment['DOCKER_CONFIG']
  if (folder !== undefined && folder !== '') return join(folder, 'config.json')
  const home = environment['HOME'] ?? environment['USERPROFILE']
  return home === undefined ? undefined : join(home, '.docker', 'config.json')
}
