/** What a search over all logs gives: entries by what was signed, by which key, by whom, as the entries themselves say it. */
import { CountersignError } from '@countersign/core/failure'
import { hashLeaf } from '@countersign/core/merkle/tree'
import type { LoggedHit } from '@countersign/core/rekor/search-answer'
import { certificateNames, entryKeys, nameKey, signerKey } from '@countersign/core/rekor/search-keys'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'
import type { IssuedByOurs } from '../own-authority.ts'
import { formatEntryId } from '../rekor1/entry-id.ts'
import type { SearchIndex } from './index-logs.ts'

/** A log as a search reads it. `shard`: it is one of Rekor v1, where clients name entries by ID and by an index over all shards. */
export type ReadLog = {
  readonly entry: (
    index: number,
  ) => Promise<Pick<NonNullable<Awaited<ReturnType<OpenTreeLog['entry']>>>, 'data' | 'integratedAt'> | undefined>
  readonly shard?: { readonly treeId: string; readonly firstIndex: number }
}

/** Where a search looks. */
export type SearchSource = {
  readonly index: Pick<SearchIndex, 'places'>
  /** The logs by the names that the index has for them. */
  readonly log: (name: string) => ReadLog | undefined
  readonly issuedByOurs: IssuedByOurs
}

const maxFound = 100
const maxValueLength = 8192

/** The entries of all logs that have all of the keys, a hundred at most. `complete` is false when there are more. */
export async function findEntries(
  { index, log: logOf, issuedByOurs }: SearchSource,
  keys: readonly string[],
): Promise<{ readonly entries: readonly LoggedHit[]; readonly complete: boolean }> {
  const places = await index.places(keys, maxFound + 1)
  const entries: LoggedHit[] = []
  const isOurs = await issuedByOurs()
  for (const { log, index: at } of places.slice(0, maxFound)) {
    const { entry, shard } = logOf(log) ?? {}
    const found = await entry?.(at)
    if (found === undefined) continue
    const { data, integratedAt } = found
    const named =
      shard === undefined
        ? { index: at }
        : { index: shard.firstIndex + at, uuid: formatEntryId(shard.treeId, hashLeaf(serverPrimitives, data)) }
    entries.push({ log, ...named, ...(await describe(data, isOurs)), integratedAt: new Date(integratedAt).toISOString() })
  }
  return { entries, complete: places.length <= maxFound }
}

/** The keys of the index that a query (`digest`, `key`, `identity`, `email`) asks for, or what is wrong with it. */
export function readSearch(query: Readonly<Record<string, unknown>>): readonly string[] | string {
  const keys: string[] = []
  for (const [name, value] of Object.entries(query)) {
    if (typeof value !== 'string' || value === '' || value.length > maxValueLength) return `${name.slice(0, 20)} is not one text`
    if (name === 'digest') {
      const digest = /^(?:(sha1|sha256|sha384|sha512):)?([0-9a-fA-F]{40,128})$/.exec(value)
      const algorithm = digest?.[1] ?? hashLengths[digest?.[2]?.length ?? 0]
      if (digest === null || algorithm === undefined) return 'digest is not in hexadecimal, perhaps with the name of its hash before it'
      keys.push(`${algorithm}:${digest[2] as string}`)
    } else if (name === 'key') {
      const pem = value.startsWith('-----BEGIN ') ? signerKey(serverPrimitives, new TextEncoder().encode(`${value.trim()}\n`)) : value
      if (!/^[0-9a-fA-F]{64}$/.test(pem)) return 'key is neither PEM nor the SHA-256 of it in hexadecimal'
      keys.push(pem)
    } else if (name === 'identity' || name === 'email') keys.push(nameKey(value))
    else return 'only digest, key, identity and email are searched for'
  }
  return keys.length === 0 ? 'say what to search for: digest, key, identity or email' : keys
}

const hashLengths: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256', 96: 'sha384', 128: 'sha512' }

async function describe(
  data: Uint8Array,
  isOurs: Awaited<ReturnType<IssuedByOurs>>,
): Promise<Pick<LoggedHit, 'kind' | 'digest' | 'key' | 'identity' | 'unverifiedIdentity'>> {
  const { keys, certificates } = entryKeys(serverPrimitives, data)
  const [identity, unverifiedIdentity]: [string[], string[]] = [[], []]
  for (const certificate of certificates) {
    const names = (await isOurs(certificate)) ? identity : unverifiedIdentity
    names.push(...certificateNames(certificate))
  }
  const isKey = (each: string): boolean => /^[0-9a-f]{64}$/.test(each)
  return { kind: kindOf(data), digest: keys.filter((each) => !isKey(each)), key: keys.filter(isKey), identity, unverifiedIdentity }
}

function kindOf(data: Uint8Array): string {
  let body: JsonValue
  try {
    body = parseJson(data)
  } catch (failure) {
    if (failure instanceof CountersignError) return ''
    throw failure
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return ''
  const { kind, apiVersion } = body as { readonly [name: string]: JsonValue }
  return typeof kind === 'string' && typeof apiVersion === 'string' ? `${kind} ${apiVersion}` : ''
}
