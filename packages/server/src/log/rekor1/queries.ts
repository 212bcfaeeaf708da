/** What is asked of a Rekor v1 log in a body: entries to retrieve, and what to search for. */
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import {
  base64Bytes,
  count,
  documentPlace,
  isAbsent,
  nonEmptyText,
  oneOf,
  openMembers,
  optionalItems,
  text,
} from '@countersign/core/json/shape'
import type { SyncHash } from '@countersign/core/merkle/tree'
import { readPemSigner } from '@countersign/core/rekor/pem-signer'
import { readProposedEntryV1 } from '@countersign/core/rekor/proposal-v1'
import { nameKey, signerKey } from '@countersign/core/rekor/search-keys'
import type { EntryAnswer } from './answer.ts'
import { parseEntryId } from './entry-id.ts'
import { entryAt, entryOf, entryWith, type Shards } from './lookup.ts'

const code = 'log_entry_malformed'
const maxLookups = 10
const limits = { maxBytes: 4 * 1024 * 1024, maxDepth: 16, maxValues: 4096 }

type Lookup = () => Promise<EntryAnswer | undefined>

/** Reads `SearchLogQuery`. */
export function readRetrieval(primitives: SyncHash, shards: Shards, body: Uint8Array): readonly Lookup[] | 'too many' {
  const field = openMembers(documentPlace(parseJsonAs(code, 'the query', body, limits).value, code))
  const listed = (name: string): ReturnType<typeof optionalItems> => optionalItems(field(name), 1000)
  const lookups: Lookup[] = [
    ...listed('entryUUIDs').map((item) => {
      const id = parseEntryId(text(item))
      if (id === undefined) throw new CountersignError(code, `${item.path} is not 64 or 80 hexadecimal digits`)
      return () => entryOf(shards, id)
    }),
    ...listed('logIndexes').map((item) => {
      const index = count(item)
      return () => entryAt(shards, index)
    }),
    ...listed('entries').map((item) => {
      const { body: canonical } = readProposedEntryV1(primitives, item)
      return () => entryWith(shards, canonical)
    }),
  ]
  return lookups.length > maxLookups ? 'too many' : lookups
}

/** Reads `SearchIndex`: digest, key, e-mail address, name; default any of them. */
export function readIndexQuery(
  primitives: SyncHash,
  body: Uint8Array,
): { readonly keys: readonly string[]; readonly operator: 'and' | 'or' } {
  const field = openMembers(documentPlace(parseJsonAs(code, 'the query', body, limits).value, code))
  const keys: string[] = []
  for (const name of ['email', 'subject']) if (!isAbsent(field(name)) && text(field(name)) !== '') keys.push(nameKey(text(field(name))))
  if (!isAbsent(field('hash')) && text(field('hash')) !== '') keys.push(prefixed(text(field('hash'))))
  if (!isAbsent(field('publicKey'))) {
    const key = openMembers(field('publicKey'))
    if (nonEmptyText(key('format')) !== 'x509') throw new CountersignError('not_supported', 'only x509 keys are searched for')
    keys.push(signerKey(primitives, readPemSigner(key('content'), base64Bytes(key('content'))).canonical))
  }
  const operator = isAbsent(field('operator')) || text(field('operator')) === '' ? 'or' : oneOf(field('operator'), ['and', 'or'])
  return { keys: keys.map((key) => key.slice(0, 2048).toLowerCase()), operator }
}

const hashLengths: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256', 96: 'sha384', 128: 'sha512' }

/** Clients may leave the name of the hash out. */
function prefixed(hash: string): string {
  const name = hash.includes(':') ? undefined : hashLengths[hash.length]
  return name === undefined ? hash : `${name}:${hash}`
}
