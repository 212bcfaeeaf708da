/** Rekor v2 over HTTP (sigstore/rekor-tiles, CLIENTS.md): entries in, tiles and checkpoints out. */
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { answerJson } from '@countersign/core/rekor/answer'
import { hashedrekordBody, hashedrekordV2 } from '@countersign/core/rekor/body'
import { maxRequestBytes, parseCreateEntryRequest } from '@countersign/core/rekor/request'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Counter, Gauge } from 'prom-client'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import { immutable, sendBytes } from '../../base/http/reply.ts'
import { inFlightLimit } from '../../base/http/in-flight.ts'
import { bodyOf, refuseOtherOrigins, takeBodies } from '../../base/http/request.ts'
import type { EarlyRefusal, Service } from '../../base/http/service.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'
import { overloaded } from '../engine/pending.ts'
import type { Admission } from '../admission.ts'
import { readinessOf } from '../readiness.ts'
import type { DigestVerifier } from '../verify/verifier.ts'
import { duplicateRefusal, rekor2RefusalOf, type Rekor2Refusal } from './refusal.ts'

/** A log with a key. */
export type Rekor2Shard = {
  readonly log: Pick<OpenTreeLog, 'add' | 'checkpoint' | 'file' | 'failure' | 'outstanding'>
  /** The whole 32-byte identifier of the log's key. */
  readonly logId: Uint8Array
  /** The log's key as witnesses and monitors configure it (c2sp.org/signed-note, "Verifier keys"); told at `/rekor2/verifier-key`. */
  readonly verifierKey?: string
}

/** What the service is made of. */
export type Rekor2Options = {
  /** The log that takes entries: another one after a rotation. */
  readonly shard: () => Rekor2Shard
  readonly verifier: DigestVerifier
  readonly admit: Admission
  /** Requests that are worked on at once; one more is told to come back before anything of it is read. Default 4,096. */
  readonly maxInFlight?: number
}

const defaultInFlight = 4096
const entriesPath = '/api/v2/log/entries'

/** `POST /rekor2/api/v2/log/entries`, `GET /rekor2/api/v2/{checkpoint,tile/…}`. */
export function rekor2Service(options: Rekor2Options): Service {
  const { shard } = options
  const counts = new Counter({
    name: 'countersign_rekor2_entries_total',
    help: 'Entries sent to the Rekor v2 log by what became of them: the status of the answer',
    labelNames: ['status'],
    registers: [],
  })
  const most = options.maxInFlight ?? defaultInFlight
  const limit = inFlightLimit({
    most,
    paths: [`/rekor2${entriesPath}`],
    refusal: earlyRefusal(most),
    refused: () => counts.inc({ status: '503' }),
  })
  const refuse = (reply: FastifyReply, refusal: Rekor2Refusal): FastifyReply => {
    counts.inc({ status: String(refusal.status) })
    const { status, code, message, headers } = refusal
    return reply
      .code(status)
      .headers({ ...headers, 'cache-control': 'no-store' })
      .type('application/json')
      .send(JSON.stringify({ code, message, details: [] }))
  }
  return {
    name: 'rekor2',
    prefix: '/rekor2',
    refuseAtOnce: limit.refuseAtOnce,
    routes: (app) => {
      takeBodies(app, maxRequestBytes)
      app.setErrorHandler((failure, _, reply) => {
        const refusal = rekor2RefusalOf(failure) ?? frameworkRefusal(failure)
        if (refusal === undefined) throw failure
        return refuse(reply, refusal)
      })
      app.post(entriesPath, { onRequest: refuseOtherOrigins }, async (request, reply) => {
        const answer = await limit.run(() => record(options, bodyOf(request)), beyond(most))
        if (typeof answer !== 'string') return refuse(reply, answer)
        counts.inc({ status: '201' })
        return reply.code(201).type('application/json').send(answer)
      })
      addReads(app, shard)
    },
    ready: async () => readinessOf(shard().log),
    metrics: (registry) => {
      registry.registerMetric(counts)
      const waiting: Gauge = new Gauge({
        name: 'countersign_rekor2_waiting_entries',
        help: 'Entries that wait to be under a published checkpoint',
        registers: [registry],
        collect: () => waiting.set(shard().log.outstanding()),
      })
      const size: Gauge = new Gauge({
        name: 'countersign_rekor2_tree_size',
        help: 'Entries in the published tree',
        registers: [registry],
        collect: async () => size.set((await shard().log.checkpoint()).size),
      })
    },
  }
}

function earlyRefusal(most: number): EarlyRefusal {
  const { status, code, message, headers } = rekor2RefusalOf(overloaded(most)) as Rekor2Refusal
  return {
    status,
    headers: { ...headers, 'cache-control': 'no-store', 'content-type': 'application/json' },
    body: JSON.stringify({ code, message, details: [] }),
  }
}

function beyond(most: number): () => never {
  return () => {
    throw overloaded(most)
  }
}

/** Step 1 of an entry: read, admit, verify, canonicalise; then the engine's. Gives the answer, or the refusal of a duplicate. */
async function record({ shard, verifier, admit }: Rekor2Options, body: Uint8Array): Promise<string | Rekor2Refusal> {
  const entry = parseCreateEntryRequest(serverPrimitives, body)
  const admitted = await admit(entry)
  if (!admitted.ok) throw new CountersignError('log_entry_refused', admitted.detail)
  // Hostile: an entry that nobody signed would poison every search for its signer.
  if (!(await verifier.verify(entry.algorithm, entry.signer.key, entry.digest, entry.signature))) {
    throw new CountersignError('log_entry_malformed', 'the signature does not hold for this digest and signer')
  }
  // One for the entry and its answer, whatever is rotated meanwhile.
  const { log, logId } = shard()
  const canonicalizedBody = hashedrekordBody(entry)
  const leafHash = hashLeaf(serverPrimitives, canonicalizedBody)
  const { index, hashes, checkpoint, duplicate } = await log.add({ data: canonicalizedBody, leafHash, identity: leafHash })
  if (duplicate) return duplicateRefusal(index)
  const { size: treeSize, rootHash, note } = checkpoint
  return answerJson({ ...hashedrekordV2, logIndex: index, logId, rootHash, treeSize, hashes, checkpoint: note, canonicalizedBody })
}

function addReads(app: FastifyInstance, shard: Rekor2Options['shard']): void {
  app.get('/api/v2/checkpoint', async (_, reply) => {
    const { note } = await shard().log.checkpoint()
    return reply
      .header('cache-control', 'no-cache')
      .type('text/plain; charset=utf-8')
      .send(Buffer.from(utf8(note)))
  })
  app.get('/verifier-key', async (_, reply) => reply.type('text/plain; charset=utf-8').send(`${shard().verifierKey ?? ''}\n`))
  app.get('/api/v2/tile/*', async (request: FastifyRequest<{ Params: { '*': string } }>, reply) => {
    const found = await shard().log.file(`tile/${request.params['*']}`)
    if (found === undefined) return reply.code(404).header('cache-control', 'no-store').type('text/plain').send('there is no such tile\n')
    return sendBytes(reply, 'application/octet-stream', immutable, found.bytes)
  })
}

/** Fastify's own: a body that is too large. */
function frameworkRefusal(failure: unknown): Rekor2Refusal | undefined {
  const status = failure instanceof Error && 'statusCode' in failure ? failure.statusCode : undefined
  if (status === 413) return { status, code: 3, message: `the request is larger than ${maxRequestBytes} bytes` }
  return status === 400 ? { status, code: 3, message: 'the request is malformed' } : undefined
}
