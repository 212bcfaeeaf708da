/** What every service needs of a request: its body as bytes, how long it may be, and whether other origins may read the answer. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { sendProblem } from './problem.ts'

/** The body as it was sent, at most as long as the limit of the process; empty when there is none. */
export function bodyOf(request: FastifyRequest): Uint8Array {
  const { body } = request
  return body instanceof Uint8Array ? new Uint8Array(body.buffer, body.byteOffset, body.length) : new Uint8Array()
}

/** Takes bodies of any media type, as bytes, up to a limit of the service's own; longer ones are refused with 413. */
export function takeBodies(app: FastifyInstance, maxBytes: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxBytes }, (_request, body, done) => done(null, body))
}

/**
 * Lets pages of any origin ask this service (Fetch standard, "CORS protocol"), as the reference's certificate authority does. Only for services
 * without cookies: what is answered here, anybody may have.
 */
export function allowAnyOrigin(app: FastifyInstance, methods: readonly string[]): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('access-control-allow-origin', '*').header('access-control-expose-headers', 'etag, location, retry-after, x-request-id')
  })
  app.options('/*', async (_request, reply) => {
    reply
      .header('access-control-allow-methods', methods.join(', '))
      .header('access-control-allow-headers', 'accept, authorization, content-type')
    await reply.header('access-control-max-age', '3600').code(204).send()
  })
}

/**
 * A hook that refuses pages of other origins, for routes where anybody may write. Hostile: a page has the browser of its visitor post to what only
 * the visitor's machine reaches. Browsers name the origin of the page (Fetch standard, "`Origin` header"); other programs name none.
 */
export async function refuseOtherOrigins(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const { origin, host } = request.headers
  if (origin === undefined || (URL.parse(origin)?.host ?? '') === host) return undefined
  await sendProblem(request, reply, { status: 403, code: 'other_origin', detail: 'pages of other origins do not write here' })
  return reply
}

/** An id that a proxy gave, when it is well formed; anything else could forge lines of the log. */
export function wellFormedRequestId(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(header) ? header : undefined
}
