/**
 * The folder that `initialize` fills, in the form of cosign 3 (sigstore-go), so that both tools share it:
 *
 * `remote.json` names the mirror in use, `<mirror>/{root,timestamp,snapshot,targets}.json` is its metadata, `<mirror>/targets/` what it
 * distributes, `<mirror>.json` when that was last looked at.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { type JsonValue, parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, entries, isAbsent, openMembers, text, textMap } from '@countersign/core/json/shape'
import { parseTime } from '@countersign/core/trust/time-range'
import type { TufRole } from '@countersign/core/tuf/model'
import { readFileIfThere } from '../bounded-file.ts'

/** The four top-level roles of TUF, in the order in which a client trusts them. */
export const tufRoles: readonly TufRole[] = ['root', 'timestamp', 'snapshot', 'targets']

/** Largest metadata and target that is read, bytes; sigstore-go's bounds. */
export const tufLimits: Readonly<Record<TufRole | 'target', number>> = {
  root: 512_000,
  timestamp: 16_384,
  snapshot: 2_000_000,
  targets: 5_000_000,
  target: 8 * 1024 * 1024,
}

/** What stored metadata says of itself; its signatures were checked when it was stored. */
export type StoredRole = { readonly version: number; readonly expiresMs: number; readonly value: JsonValue }

/** The store: `TUF_ROOT`, or `~/.sigstore/root`; `undefined` without a home. */
export function storeFolder(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const named = environment['TUF_ROOT']
  if (named !== undefined && named !== '') return named
  const home = environment['HOME']
  return home === undefined || home === '' ? undefined : join(home, '.sigstore', 'root')
}

/** sigstore-go's `URLToPath`: the URL without scheme, `/` and `:` as dashes, in lower case. `undefined` for what would lead out of the store. */
export function mirrorFolderName(mirror: string): string | undefined {
  const name = mirror
    .replace(/^https?:\/\//, '')
    .replaceAll(/[/:]/g, '-')
    .toLowerCase()
  return name.includes('..') || name.includes('\0') || name === '' ? undefined : name
}

/** The mirror that `remote.json` names; `undefined` when there is no such file. Throws `tuf_malformed`. */
export async function mirrorInUse(folder: string): Promise<string | undefined> {
  const bytes = await readFileIfThere(join(folder, 'remote.json'), 65_536)
  if (bytes === undefined) return undefined
  const { value } = parseJsonAs('tuf_malformed', join(folder, 'remote.json'), bytes)
  const mirror = typeof value === 'object' && value !== null && 'mirror' in value ? value['mirror'] : undefined
  return typeof mirror !== 'string' || mirror === '' ? undefined : mirror
}

/** Stored metadata of one role; `undefined` when there is none. Throws `tuf_malformed`. */
export async function readRole(mirrorFolder: string, role: TufRole): Promise<StoredRole | undefined> {
  const path = join(mirrorFolder, `${role}.json`)
  const bytes = await readFileIfThere(path, tufLimits[role])
  return bytes === undefined ? undefined : parseRole(bytes, path)
}

/** Version and expiry of metadata. Throws `tuf_malformed`. Nothing is verified. */
export function parseRole(bytes: Uint8Array, what: string): StoredRole {
  const { value } = parseJsonAs('tuf_malformed', what, bytes)
  const signed = openMembers(openMembers(documentPlace(value, 'tuf_malformed'))('signed'))
  const version = signed('version').value
  const expiresMs = parseTime(text(signed('expires')))
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1 || expiresMs === undefined) {
    throw new CountersignError('tuf_malformed', `${what} has no version or expiry`)
  }
  return { version, expiresMs, value }
}

/** The targets that metadata of the role `targets` names, each with its hashes in hex by algorithm. */
export function targetHashes({ value }: StoredRole): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const targets = openMembers(openMembers(documentPlace(value, 'tuf_malformed'))('signed'))('targets')
  return new Map(entries(targets, 10_000).map(([name, at]) => [name, textMap(openMembers(at)('hashes'), 8)]))
}

/** Whether targets may be named by other roles too, whose metadata lies in files of their own. */
function hasDelegations({ value }: StoredRole): boolean {
  return !isAbsent(openMembers(openMembers(documentPlace(value, 'tuf_malformed'))('signed'))('delegations'))
}

/** When what is stored stops being good, and which role that is; `undefined` when a role is missing: an older tool filled the folder. */
export async function storedFreshness(
  mirrorFolder: string,
): Promise<{ readonly expiresMs: number; readonly role: TufRole; readonly roles: ReadonlyMap<TufRole, StoredRole> } | undefined> {
  const roles = new Map<TufRole, StoredRole>()
  for (const role of tufRoles) {
    const stored = await readRole(mirrorFolder, role)
    if (stored === undefined) return undefined
    roles.set(role, stored)
  }
  const [first] = [...roles].toSorted(([, a], [, b]) => a.expiresMs - b.expiresMs)
  return first === undefined ? undefined : { role: first[0], expiresMs: first[1].expiresMs, roles }
}

/**
 * A stored target, checked against the stored metadata: what a killed `initialize`, or a hand, left half-way is not used.
 * `undefined` when there is none. Throws `content_altered`.
 */
export async function readTarget(mirrorFolder: string, name: string, targets: StoredRole | undefined): Promise<Uint8Array | undefined> {
  const path = join(mirrorFolder, 'targets', name)
  const bytes = await readFileIfThere(path, tufLimits.target)
  if (bytes === undefined || targets === undefined) return bytes
  const named = targetHashes(targets).get(name)
  if (named === undefined && hasDelegations(targets)) return bytes
  const algorithm = named?.['sha256'] === undefined ? 'sha512' : 'sha256'
  const found = createHash(algorithm).update(bytes).digest('hex')
  if (named?.[algorithm] === found) return bytes
  throw new CountersignError('content_altered', `${path} is not what the metadata beside it names`, {
    expected: `${algorithm}:${(named?.[algorithm] ?? 'none').slice(0, 128)}`,
    found: `${algorithm}:${found}`,
    hint: 'Fetch it again with "countersign trusted-root refresh".',
  })
}

/** When the mirror was last looked at, as sigstore-go writes it. */
export function lastTimestampJson(nowMs: number): Uint8Array {
  return Buffer.from(JSON.stringify({ lastTimestamp: new Date(nowMs).toISOString() }))
}
