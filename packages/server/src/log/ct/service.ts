/** The read paths of a static certificate transparency log, for monitors and auditors (c2sp.org/static-ct-api, "Monitoring APIs"). */
import type { FastifyReply } from 'fastify'
import { bytesToBase64 } from '@countersign/core/base64'
import { parseTilePath } from '@countersign/core/tiles/path'
import { immutable, sendBytes } from '../../base/http/reply.ts'
import { allowAnyOrigin } from '../../base/http/request.ts'
import type { Service } from '../../base/http/service.ts'
import type { OpenTreeLog } from '../engine/open-log.ts'
import { readinessOf } from '../readiness.ts'
import type { CtLog } from './ct-log.ts'

/** What is served. */
export type CtServiceParts = {
  readonly tree: Pick<OpenTreeLog, 'checkpoint' | 'file' | 'failure'>
  readonly log: Pick<CtLog, 'issuer'>
  /** Roots whose certificates the log takes, DER: those of our own authority. */
  readonly roots: () => Promise<readonly Uint8Array[]>
}

const brief = 'public, max-age=2'
/** Partial tiles end when their tile is full, but never change. */
const passing = 'public, max-age=86400'
const maxLevel = 5

/**
 * The log as a service under `/ct`. Submission over HTTP is not offered: the log takes the certificates of our own authority alone, in process.
 */
export function ctService({ tree, log, roots }: CtServiceParts): Service {
  return {
    name: 'ct',
    prefix: '/ct',
    ready: async () => readinessOf(tree),
    routes: (app) => {
      allowAnyOrigin(app, ['GET', 'HEAD'])
      app.get('/checkpoint', async (_request, reply) => {
        const { note } = await tree.checkpoint()
        await reply.header('cache-control', brief).type('text/plain; charset=utf-8').send(note)
      })
      app.get<{ Params: { '*': string } }>('/tile/*', async (request, reply) => {
        const path = `tile/${request.params['*']}`
        const file = isServed(path) ? await tree.file(path) : undefined
        if (file === undefined) return notFound(reply)
        return sendBytes(reply, 'application/octet-stream', file.full ? immutable : passing, file.bytes)
      })
      app.get<{ Params: { fingerprint: string } }>('/issuer/:fingerprint', async (request, reply) => {
        const certificate = await log.issuer(request.params.fingerprint)
        return certificate === undefined ? notFound(reply) : sendBytes(reply, 'application/pkix-cert', immutable, certificate)
      })
      app.get('/ct/v1/get-roots', async (_request, reply) => {
        const certificates = (await roots()).map(bytesToBase64)
        await reply.header('cache-control', 'public, max-age=300').type('application/json').send(JSON.stringify({ certificates }))
      })
    },
  }
}

/** Levels 0 to 5, and `data`; entry bundles have another name here. */
function isServed(path: string): boolean {
  const name = parseTilePath(path)
  if (name === undefined) return false
  return name.kind === 'hashes' ? name.level <= maxLevel : name.folder === 'data'
}

function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).header('cache-control', 'no-store').type('text/plain; charset=utf-8').send('not found\n')
}
