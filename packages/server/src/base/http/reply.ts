/** What services have in common of their answers. */
import type { FastifyReply } from 'fastify'

/** `Cache-Control` of what never changes under its name. */
export const immutable = 'public, max-age=31536000, immutable'

/** Answers with bytes of this media type, which caches may keep as `cache` says. */
export function sendBytes(reply: FastifyReply, type: string, cache: string, bytes: Uint8Array): FastifyReply {
  return reply
    .header('cache-control', cache)
    .type(type)
    .send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
}
