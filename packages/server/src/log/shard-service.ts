/** Logs that take no more entries, for monitors: the tiles and the last checkpoint of every shard under its own name (c2sp.org/tlog-tiles). */
import { immutable, sendBytes } from '../base/http/reply.ts'
import { allowAnyOrigin } from '../base/http/request.ts'
import type { Service } from '../base/http/service.ts'
import type { OpenTreeLog } from './engine/open-log.ts'

/** A shard, by the name of its key. */
export type NamedShard = { readonly name: string; readonly log: Pick<OpenTreeLog, 'origin' | 'checkpoint' | 'file' | 'frozen'> }

/** `GET <prefix>/shards`, `…/shards/NAME/checkpoint`, `…/shards/NAME/tile/…`; the active shard is among them. */
export function shardService(prefix: string, shards: () => readonly NamedShard[]): Service {
  const named = (name: string): NamedShard | undefined => shards().find((shard) => shard.name === name)
  return {
    name: `${prefix.slice(1)}-shards`,
    prefix: `${prefix}/shards`,
    routes: (app) => {
      allowAnyOrigin(app, ['GET', 'HEAD'])
      app.get('/', async (_, reply) => {
        const list = await Promise.all(
          shards().map(async ({ name, log }) => ({
            name,
            origin: log.origin,
            treeSize: (await log.checkpoint()).size,
            frozen: await log.frozen(),
          })),
        )
        return reply
          .header('cache-control', 'no-store')
          .type('application/json')
          .send(JSON.stringify({ shards: list }))
      })
      app.get<{ Params: { name: string } }>('/:name/checkpoint', async (request, reply) => {
        const shard = named(request.params.name)
        if (shard === undefined) return reply.callNotFound()
        const { note } = await shard.log.checkpoint()
        return reply.header('cache-control', 'no-cache').type('text/plain; charset=utf-8').send(note)
      })
      app.get<{ Params: { name: string; '*': string } }>('/:name/tile/*', async (request, reply) => {
        const file = await named(request.params.name)?.log.file(`tile/${request.params['*']}`)
        return file === undefined ? reply.callNotFound() : sendBytes(reply, 'application/octet-stream', immutable, file.bytes)
      })
    },
  }
}
