/** Search over all logs, which Rekor v2 does not have: what was signed, by which key, by whom. It finds; it proves nothing. */
import { CountersignError } from '@countersign/core/failure'
import { entryKeys, signerKey } from '@countersign/core/rekor/search-keys'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import { allowAnyOrigin } from '../../base/http/request.ts'
import type { Service } from '../../base/http/service.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'
import type { SearchIndex } from './index-logs.ts'

/** What the service is made of. */
export type SearchOptions = {
  readonly index: Pick<SearchIndex, 'places'>
  /** The logs by the names that the index has for them. */
  readonly log: (name: string) => Pick<OpenTreeLog, 'entry'> | undefined
}

/** An entry as it is told. `digest`, `key` (SHA-256 of the signer's PEM, as in Rekor v1) and `identity` (names in the certificate) are read from the entry. */
export type FoundJson = {
  readonly log: string
  readonly index: number
  readonly kind: string
  readonly digest: readonly string[]
  readonly key: readonly string[]
  readonly identity: readonly string[]
  readonly integratedAt: string
}

const maxFound = 100
const maxValueLength = 8192
/** One search reads as many proofs as it finds entries. */
const maxAtOnce = 16

/** `GET /rekor2/search?digest=&key=&identity=&email=`: entries of every log for which all of these hold. */
export function searchService({ index, log }: SearchOptions): Service {
  let searching = 0
  return {
    name: 'search',
    prefix: '/rekor2/search',
    routes: (app) => {
      allowAnyOrigin(app, ['GET', 'HEAD'])
      app.get('/', async (request, reply) => {
        const answer = reply.header('cache-control', 'no-store').type('application/json')
        const keys = readQuery(request.query as Readonly<Record<string, unknown>>)
        if (typeof keys === 'string') return answer.code(400).send(JSON.stringify({ code: 3, message: keys, details: [] }))
        if (searching >= maxAtOnce)
          throw new CountersignError('log_overloaded', 'too many searches at once', { hint: 'Try again in a second.' })
        searching++
        try {
          const places = await index.places(keys, maxFound + 1)
          const found: FoundJson[] = []
          for (const place of places.slice(0, maxFound)) {
            const entry = await log(place.log)?.entry(place.index)
            if (entry !== undefined)
              found.push({ ...place, ...describe(entry.data), integratedAt: new Date(entry.integratedAt).toISOString() })
          }
          return await answer.send(JSON.stringify({ entries: found, complete: places.length <= maxFound }))
        } finally {
          searching--
        }
      })
    },
  }
}

/** The keys of the index that a query asks for, or what is wrong with it. */
function readQuery(query: Readonly<Record<string, unknown>>): readonly string[] | string {
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
    } else if (name === 'identity' || name === 'email') keys.push(value)
    else return 'only digest, key, identity and email are searched for'
  }
  return keys.length === 0 ? 'say what to search for: digest, key, identity or email' : keys
}

const hashLengths: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256', 96: 'sha384', 128: 'sha512' }

function describe(data: Uint8Array): Pick<FoundJson, 'kind' | 'digest' | 'key' | 'identity'> {
  const digest: string[] = []
  const key: string[] = []
  const identity: string[] = []
  for (const each of entryKeys(serverPrimitives, data)) {
    if (/^sha[0-9]+:[0-9a-f]+$/i.test(each)) digest.push(each)
    else if (/^[0-9a-f]{64}$/.test(each)) key.push(each)
    else identity.push(each)
  }
  return { kind: kindOf(data), digest, key, identity }
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
