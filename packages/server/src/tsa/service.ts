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
      app.post('/api/v1/timestamp', (request, reply) => {
        const type = request.headers['content-type']
        if (type === undefined) return reply.code(415).send({ code: 415, message: `expected ${derType} or ${jsonType}` })
        const form: RequestForm = type.startsWith(jsonType) ? 'json' : 'der'
        const refuse = (cause: unknown): FastifyReply => sendRefusal(reply, counts, form, cause)
        try {
          const body = bodyOf(request)
          const stamped = authority().stamp(form === 'json' ? parseTimestampRequestJson(body) : parseTimestampRequest(body))
          if (!(stamped instanceof Promise)) return grant(reply, counts, stamped)
          return stamped.then((response) => grant(reply, counts, response), refuse)
        } catch (cause) {
          return refuse(cause)
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
      return verdict.ok ? { ok: true } : { ok: false, detail: `clock_untrusted: ${verdict.detail}` }
    },
  }
}

/** Our own bounded parsers read the bodies; other types are 415, longer ones 413. */
function readRawBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const options = { parseAs: 'buffer', bodyLimit: maxTimestampRequestBytes } as const
  app.addContentTypeParser([derType, jsonType], options, (_, body, done) => done(null, body))
}

function grant(reply: FastifyReply, counts: Counter<'result'>, response: Uint8Array): FastifyReply {
  counts.inc(granted)
  return reply.header('content-type', replyType).send(response)
}

function sendRefusal(reply: FastifyReply, counts: Counter<'result'>, form: RequestForm, cause: unknown): FastifyReply {
  const answer = refusalAnswer(form, cause)
  counts.inc({ result: answer.code })
  // What is no refusal is a defect: it belongs into the log, not to the client.
  if (answer.code === 'internal') reply.log.error(cause)
  if (answer.status === 503) reply.header('retry-after', '60')
  return reply.code(answer.status).header('content-type', answer.type).send(answer.body)
}
