/** Rekor v1 over HTTP (sigstore/rekor, openapi.yaml): what stock gitsign, rekor-cli, sigstore-js and older cosign ask. */
import { bytesToHex } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { maxProposalBytes, parseProposedEntryV1 } from '@countersign/core/rekor/proposal-v1'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import { inFlightLimit } from '../../base/http/in-flight.ts'
import { allowAnyOrigin, bodyOf, refuseOtherOrigins, takeBodies } from '../../base/http/request.ts'
import type { EarlyRefusal, Service } from '../../base/http/service.ts'
import { overloaded } from '../engine/pending.ts'
import { readinessOf } from '../readiness.ts'
import { entryAnswer, type EntryAnswer } from './answer.ts'
import { formatEntryId, parseEntryId } from './entry-id.ts'
import { activeShard, entryAt, entryOf, type Shards } from './lookup.ts'
import type { Shard } from './keeper.ts'
import { readIndexQuery, readRetrieval } from './queries.ts'
import { recordEntry, type RecordPorts } from './record.ts'
import { conflict, rekor1RefusalOf, type Rekor1Refusal } from './refusal.ts'

/** Finds entries by what they are about; see the room `search`. */
export type EntrySearch = {
  /** Leaf hashes with the tree that holds them, oldest first, of entries that have all (`and`) or any of the keys. */
  readonly find: (
    keys: readonly string[],
    operator: 'and' | 'or',
  ) => Promise<readonly { readonly treeId: string; readonly leafHash: Uint8Array }[]>
  /** Keys that the log itself does not keep, as the digests of a statement. */
  readonly remember: (treeId: string, index: number, keys: readonly string[]) => Promise<void>
}

/** What the service is made of. */
export type Rekor1Options = RecordPorts & {
  readonly shards: Shards
  readonly search: EntrySearch
  /** Entries that are worked on at once; one more is told to come back before anything of it is read. Default 4,096. */
  readonly maxInFlight?: number
}

const defaultInFlight = 4096
const entriesPath = '/api/v1/log/entries'
const noStore = { 'cache-control': 'no-store' }

/** `/rekor/api/v1/…`. */
export function rekor1Service(options: Rekor1Options): Service {
  const most = options.maxInFlight ?? defaultInFlight
  const limit = inFlightLimit({ most, paths: [`/rekor${entriesPath}`], refusal: earlyRefusal(most) })
  return {
    name: 'rekor',
    prefix: '/rekor',
    refuseAtOnce: limit.refuseAtOnce,
    routes: (app) => {
      takeBodies(app, maxProposalBytes)
      app.setErrorHandler((failure, _, reply) => {
        const refusal = rekor1RefusalOf(failure)
        if (refusal === undefined) throw failure
        return refuse(reply, refusal)
      })
      // Two of the reads are a POST. Entries are not taken from pages: see `refuseOtherOrigins`.
      allowAnyOrigin(app, ['GET', 'HEAD', 'POST'])
      addWrites(app, options, async (work) =>
        limit.run(work, () => {
          throw overloaded(most)
        }),
      )
      addEntries(app, options)
      addSearch(app, options)
      addTree(app, options)
    },
    ready: async () => readinessOf(activeShard(options.shards).log),
  }
}

function earlyRefusal(most: number): EarlyRefusal {
  const { status, message, headers } = rekor1RefusalOf(overloaded(most)) as Rekor1Refusal
  return {
    status,
    headers: { ...noStore, ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ code: status, message }),
  }
}

type Bounded = (work: () => Promise<FastifyReply>) => Promise<FastifyReply>

function addWrites(app: FastifyInstance, options: Rekor1Options, bounded: Bounded): void {
  const { shards, search } = options
  const take = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const proposed = parseProposedEntryV1(serverPrimitives, bodyOf(request))
    const shard = activeShard(shards)
    const logged = await recordEntry(options, shard, proposed)
    const { id, entry } = await entryAnswer(shard, proposed.body, logged)
    if (logged.duplicate) return refuse(reply, conflict(id))
    if (proposed.statementDigests.length > 0) {
      await search
        .remember(shard.treeId, logged.index, proposed.statementDigests)
        .catch((failure: unknown) => request.log.warn({ err: failure }, 'search'))
    }
    // Relative to where clients found the log, which they put before it.
    const headers = { ...noStore, etag: id, location: `/api/v1/log/entries/${id}` }
    return reply
      .code(201)
      .headers(headers)
      .type('application/json')
      .send(JSON.stringify({ [id]: entry }))
  }
  app.post(entriesPath, { onRequest: refuseOtherOrigins }, async (request, reply) => bounded(async () => take(request, reply)))
}

function addEntries(app: FastifyInstance, { shards }: Rekor1Options): void {
  app.get(entriesPath, async (request: FastifyRequest<{ Querystring: { readonly logIndex?: string } }>, reply) => {
    const index = readIndex(request.query.logIndex, 'logIndex')
    return sendEntry(reply, await entryAt(shards, index))
  })
  app.get('/api/v1/log/entries/:id', async (request: FastifyRequest<{ Params: { readonly id: string } }>, reply) => {
    const id = parseEntryId(request.params.id)
    if (id === undefined) return refuse(reply, { status: 422, message: 'entryUUID is not 64 or 80 hexadecimal digits' })
    return sendEntry(reply, await entryOf(shards, id))
  })
  app.post('/api/v1/log/entries/retrieve', async (request, reply) => {
    const lookups = readRetrieval(serverPrimitives, shards, bodyOf(request))
    if (lookups === 'too many') return refuse(reply, { status: 422, message: 'at most 10 entries may be asked for at once' })
    const found = await Promise.all(lookups.map(async (lookup) => lookup()))
    const entries = found.filter((one) => one !== undefined).map(({ id, entry }) => ({ [id]: entry }))
    return reply.headers(noStore).type('application/json').send(JSON.stringify(entries))
  })
}

function addSearch(app: FastifyInstance, { shards, search }: Rekor1Options): void {
  app.post('/api/v1/index/retrieve', async (request, reply) => {
    const { keys, operator } = readIndexQuery(serverPrimitives, bodyOf(request))
    const trees = new Set(shards.map(({ treeId }) => treeId))
    const found = keys.length === 0 ? [] : await search.find(keys, operator)
    const ids = found.filter(({ treeId }) => trees.has(treeId)).map(({ treeId, leafHash }) => formatEntryId(treeId, leafHash))
    return reply.headers(noStore).type('application/json').send(JSON.stringify(ids))
  })
}

function addTree(app: FastifyInstance, { shards }: Rekor1Options): void {
  app.get('/api/v1/log', async (_, reply) => {
    const infos = await Promise.all(shards.map(treeInfo))
    const active = infos.at(-1)
    return reply
      .headers(noStore)
      .type('application/json')
      .send(JSON.stringify({ ...active, inactiveShards: infos.slice(0, -1) }))
  })
  type TreeQuery = { Querystring: { readonly treeID?: string; readonly firstSize?: string; readonly lastSize?: string } }
  app.get('/api/v1/log/publicKey', async (request: FastifyRequest<TreeQuery>, reply) => {
    const shard = shardNamed(shards, request.query.treeID)
    if (shard === undefined) return refuse(reply, unknownTree)
    return reply.type('application/x-pem-file').send(encodePublicKeyPem(shard.key.publicKey))
  })
  app.get('/api/v1/log/proof', async (request: FastifyRequest<TreeQuery>, reply) => {
    const shard = shardNamed(shards, request.query.treeID)
    if (shard === undefined) return refuse(reply, unknownTree)
    const [first, last] = [readIndex(request.query.firstSize ?? '1', 'firstSize'), readIndex(request.query.lastSize, 'lastSize')]
    if (first < 1 || last < first)
      return refuse(reply, { status: 400, message: `firstSize(${first}) must be at least 1 and at most lastSize(${last})` })
    const { size, rootHash } = await shard.log.checkpoint()
    if (last > size) return refuse(reply, { status: 400, message: `the tree has ${size} entries` })
    const hashes = first === last ? [] : await shard.log.consistency(first, last)
    return reply
      .headers(noStore)
      .type('application/json')
      .send(JSON.stringify({ hashes: hashes.map(bytesToHex), rootHash: bytesToHex(rootHash) }))
  })
}

const unknownTree: Rekor1Refusal = { status: 400, message: 'there is no tree of this ID' }

async function treeInfo({ log, treeId }: Shard): Promise<object> {
  const { rootHash, size, note } = await log.checkpoint()
  return { rootHash: bytesToHex(rootHash), signedTreeHead: note, treeID: treeId, treeSize: size }
}

function shardNamed(shards: Shards, treeId: string | undefined): Shard | undefined {
  return treeId === undefined || treeId === '' ? activeShard(shards) : shards.find((shard) => shard.treeId === treeId)
}

function sendEntry(reply: FastifyReply, found: EntryAnswer | undefined): FastifyReply {
  if (found === undefined) return refuse(reply, { status: 404, message: 'there is no such entry' })
  return reply
    .headers(noStore)
    .type('application/json')
    .send(JSON.stringify({ [found.id]: found.entry }))
}

function refuse(reply: FastifyReply, { status, message, headers }: Rekor1Refusal): FastifyReply {
  return reply
    .code(status)
    .headers({ ...noStore, ...headers })
    .type('application/json')
    .send(JSON.stringify({ code: status, message }))
}

function readIndex(text: string | undefined, name: string): number {
  if (text !== undefined && /^(?:0|[1-9][0-9]{0,14})$/.test(text)) return Number(text)
  throw new CountersignError('log_entry_malformed', `${name} is not a number`)
}
