/** The timestamp authority over HTTP, as Sigstore's (sigstore/timestamp-authority, openapi.yaml): DER or JSON in, DER out. */
import { parseTimestampRequest, parseTimestampRequestJson, maxTimestampRequestBytes } from '@countersign/core/rfc3161/read-request'
import { encodePem } from '@countersign/core/pem'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Counter, Gauge } from 'prom-client'
import { bodyOf } from '../base/http/request.ts'
import type { Service } from '../base/http/service.ts'
import type { TimestampAuthority } from './authority.ts'
import type { ClockVerdict } from './clock/clock-watch.ts'
import { refusalAnswer, type RequestForm } from './refusal.ts'

/** What the service is made of. */
export type TimestampServiceOptions = {
  /** The authority that stamps: another one after a rotation. */
  readonly authority: () => TimestampAuthority
  /** For readiness: not ready while the clock cannot be vouched for. */
  readonly clock: () => ClockVerdict
}

const derType = 'application/timestamp-query'
const jsonType = 'application/json'
const replyType = 'application/timestamp-reply'
const granted = { result: 'granted' }

/** `POST /tsa/api/v1/timestamp`, `GET /tsa/api/v1/timestamp/certchain`. */
export function timestampService({ authority, clock }: TimestampServiceOptions): Service {
  const counts = new Counter({
    name: 'countersign_timestamps_total',
    help: 'Requests for timestamps by what became of them: granted, or the code of the refusal',
    labelNames: ['result'],
    registers: [],
  })
  const chain = (): string =>
    authority()
      .chain.map((der) => encodePem('CERTIFICATE', der))
      .join('')
  return {
    name: 'tsa',
    prefix: '/tsa',
    routes: (app) => {
      readRawBodies(app)
      app.get('/api/v1/timestamp/certchain', (_, reply) => reply.type('application/pem-certificate-chain').send(chain()))
      app.post('/api/v1/timestamp', async (request, reply) => {
        const type = request.headers['content-type']
        if (type === undefined) return reply.code(415).send({ code: 415, message: `expected ${derType} or ${jsonType}` })
        const form: RequestForm = type.startsWith(jsonType) ? 'json' : 'der'
        try {
          const body = bodyOf(request)
          const response = await authority().stamp(form === 'json' ? parseTimestampRequestJson(body) : parseTimestampRequest(body))
          counts.inc(granted)
          reply.header('content-type', replyType)
          return response
        } catch (cause) {
          return refuse(reply, counts, form, cause)
        }
      })
    },
    metrics: (registry) => {
      registry.registerMetric(counts)
      const trusted: Gauge = new Gauge({
        name: 'countersign_clock_trusted',
        help: '1 while the clock can be vouched for, 0 while no timestamps are made',
        registers: [registry],
        collect: () => trusted.set(clock().ok ? 1 : 0),
      })
    },
    ready: async () => {
      const verdict = clock()
      if (!verdict.ok) return { ok: false, detail: `clock_untrusted: ${verdict.detail}` }
      const detail = authority().problem(verdict.nowMs)
      return detail === undefined ? { ok: true } : { ok: false, detail }
    },
  }
}

/** Our own bounded parsers read the bodies; other types are 415, longer ones 413. */
function readRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const options = { parseAs: 'buffer', bodyLimit: maxTimestampRequestBytes } as const
  app.addContentTypeParser([derType, jsonType], options, (_, body, done) => done(null, body))
}

/** Makes the answer a refusal; gives its body. */
function refuse(reply: FastifyReply, counts: Counter<'result'>, form: RequestForm, cause: unknown): Uint8Array | string {
  const { code, status, type, body } = refusalAnswer(form, cause)
  counts.inc({ result: code })
  // What is no refusal is a defect: it belongs into the log, not to the client.
  if (code === 'internal') reply.log.error(cause)
  if (status === 503) reply.header('retry-after', '60')
  reply.code(status).header('content-type', type)
  return body
}
