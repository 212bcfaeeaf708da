/** Serves the TUF repository (TUF specification 1.0.31 §3.1, consistent snapshots). What is not there is a real 404: clients ask for the next root. */
import type { FastifyReply } from 'fastify'
import type { Database } from '../../base/database/database.ts'
import { immutable, sendBytes } from '../../base/http/reply.ts'
import type { TrustTables } from '../tables.ts'

/** A file of the repository; `undefined` when there is none. Names with a version or digest never change. */
export async function readRepositoryFile(database: Database, path: string): Promise<Uint8Array | undefined> {
  const sql = database.sql.withTables<TrustTables>()
  const versioned = /^([1-9][0-9]{0,8})\.(root|targets|snapshot)\.json$/.exec(path)
  if (versioned !== null || path === 'timestamp.json') {
    const role = versioned?.[2] ?? 'timestamp'
    const query = sql.selectFrom('trust_metadata').select('bytes').where('role', '=', role)
    const named = versioned === null ? query.orderBy('version', 'desc').limit(1) : query.where('version', '=', Number(versioned[1]))
    return bytesOf(await named.executeTakeFirst())
  }
  const target = /^targets\/([0-9a-f]{64})\.([A-Za-z0-9][A-Za-z0-9._-]{0,100})$/.exec(path)
  if (target === null) return undefined
  const [, digest = '', name = ''] = target
  return bytesOf(
    await sql.selectFrom('trust_targets').select('bytes').where('digest', '=', digest).where('name', '=', name).executeTakeFirst(),
  )
}

function bytesOf(row: { readonly bytes: Uint8Array } | undefined): Uint8Array | undefined {
  return row === undefined ? undefined : new Uint8Array(row.bytes)
}

/** Answers with a file. Only the timestamp changes under its name; a cache may keep it for a moment, everything else for ever. */
export async function sendRepositoryFile(database: Database, path: string, reply: FastifyReply): Promise<FastifyReply> {
  const bytes = await readRepositoryFile(database, path)
  if (bytes === undefined) {
    return reply
      .code(404)
      .header('cache-control', 'no-cache')
      .type('application/json')
      .send({ code: 404, message: 'there is no such file' })
  }
  const cache = path === 'timestamp.json' ? 'no-cache' : immutable
  const type = path.endsWith('.json') ? 'application/json' : 'application/x-pem-file'
  return sendBytes(reply, type, cache, bytes)
}
