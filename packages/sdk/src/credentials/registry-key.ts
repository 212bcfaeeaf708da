/** The names under which a registry's credentials are kept. */

/** Docker's own name for Docker Hub in config files and helpers. */
export const dockerHubKey = 'https://index.docker.io/v1/'

const dockerHub: ReadonlySet<string> = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'])

/** Whether a registry host is Docker Hub under one of its names. */
export function isDockerHub(registry: string): boolean {
  return dockerHub.has(registry.toLowerCase())
}

/** The key that Docker writes for a registry: the host, but a URL for Docker Hub. */
export function storageKey(registry: string): string {
  return isDockerHub(registry) ? dockerHubKey : registry
}

/**
 * A key of an `auths` map in one form: lower-case host, then `/namespace` where there is one; scheme and the API paths `/v1/`, `/v2/` dropped
 * as Docker drops them; every name of Docker Hub is `docker.io`.
 */
export function normalizeKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '').replace(/\/+$/, '')
  const slash = bare.indexOf('/')
  const host = (slash === -1 ? bare : bare.slice(0, slash)).toLowerCase()
  const path = slash === -1 ? '' : bare.slice(slash)
  return `${isDockerHub(host) ? 'docker.io' : host}${path === '/v1' || path === '/v2' ? '' : path}`
}

/** The keys under which the credentials of a repository may be kept, the most specific first (containers-auth.json(5)). */
export function candidateKeys(registry: string, repository: string): readonly string[] {
  const host = normalizeKey(registry)
  const parts = repository === '' ? [] : repository.split('/')
  const keys: string[] = []
  for (let count = parts.length; count >= 0; count--) keys.push([host, ...parts.slice(0, count)].join('/'))
  return keys
}
