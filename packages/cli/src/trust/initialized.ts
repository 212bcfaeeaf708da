/** The trusted root in the folder that `initialize` fills (ours or cosign's): `TUF_ROOT/<mirror>/targets/trusted_root.json`. Read only. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { mirrorFolderName, mirrorInUse, readTarget, storedFreshness, storeFolder } from '@countersign/sdk/tuf/store'
import { tufExpiry } from './expiry.ts'
import type { SelectedTrust } from './select.ts'

const target = 'trusted_root.json'

/**
 * The trusted root, or `undefined` when nothing was initialized. Nothing is fetched: metadata that has expired is refused with `trust_stale`,
 * since keys may have been withdrawn that this machine has not heard of. Throws `content_altered`, `trust_missing`, `trusted_root_malformed`.
 */
export async function initializedTrust(
  environment: Readonly<Record<string, string | undefined>>,
  nowMs: number,
): Promise<SelectedTrust | undefined> {
  const stored = await initializedTarget(environment, nowMs, target)
  if (stored === undefined) return undefined
  const { path, freshness } = stored
  const root = parseTrustedRoot(stored.bytes)
  if (freshness === undefined) {
    // Filled by cosign 2 or by hand: nothing says how old it may become.
    const date = (await stat(path)).mtime.toISOString().slice(0, 10)
    return { root, named: false, report: { source: 'initialized trusted root', name: path, date } }
  }
  const date = `good until ${new Date(freshness.expiresMs).toISOString().slice(0, 10)}`
  return {
    root,
    named: false,
    report: { source: 'initialized trusted root', name: path, date },
    expiries: [...freshness.roles].map(([role, { expiresMs }]) => tufExpiry(role, expiresMs)),
  }
}

/** What the folder holds under that name, and until when it may be relied on. */
type StoredTarget = {
  readonly path: string
  readonly bytes: Uint8Array
  readonly freshness: Awaited<ReturnType<typeof storedFreshness>>
}

/** A target of the mirror that was initialized, its digest checked; `undefined` when there is none. Throws as {@link initializedTrust}. */
export async function initializedTarget(
  environment: Readonly<Record<string, string | undefined>>,
  nowMs: number,
  name: string,
): Promise<StoredTarget | undefined> {
  const folder = storeFolder(environment)
  const place = folder === undefined ? undefined : await findMirror(folder)
  if (place === undefined) return undefined
  const freshness = await storedFreshness(place)
  const bytes = await readTarget(place, name, freshness?.roles.get('targets'))
  if (bytes === undefined) return undefined
  if (freshness !== undefined && nowMs > freshness.expiresMs) {
    throw new CountersignError('trust_stale', `what was initialized in ${place} is too old to rely on: its ${freshness.role} has expired`, {
      expected: `use before ${new Date(freshness.expiresMs).toISOString()}`,
      found: new Date(nowMs).toISOString(),
      hint: 'Run "countersign trusted-root refresh"; or name a trusted root, however old, with --trusted-root.',
    })
  }
  return { path: join(place, 'targets', name), bytes, freshness }
}

/** `remote.json` names the mirror in use; without it there must be only one. */
async function findMirror(folder: string): Promise<string | undefined> {
  const mirror = await mirrorInUse(folder)
  // cosign keeps a slash at the end, and makes it a dash.
  const named = mirror === undefined ? undefined : [mirror, mirror.replace(/\/+$/, '')].map(mirrorFolderName)
  const names = named === undefined ? await folders(folder) : [...new Set(named.filter((name) => name !== undefined))]
  if (named !== undefined && names.length === 0) return undefined
  const found: string[] = []
  for (const name of ['', ...names]) if (await exists(join(folder, name, 'targets', target))) found.push(join(folder, name))
  if (named !== undefined && found.length === 0) {
    // Another trusted root in place of the one that was initialized would accept other signers.
    throw new CountersignError('trust_missing', `${folder} was initialized, and holds no ${target} of its mirror`, {
      found: (mirror ?? '').slice(0, 120),
      hint: 'Run "countersign trusted-root refresh"; or name a trusted root with --trusted-root.',
    })
  }
  if (found.length > 1) {
    throw new CountersignError('trust_missing', `${folder} holds several trusted roots and does not say which is in use`, {
      found: found.join(', '),
      hint: 'Name one with --trusted-root.',
    })
  }
  return found[0]
}

async function folders(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'targets' && !entry.name.startsWith('.'))
    .map((entry) => entry.name)
    .slice(0, 100)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
