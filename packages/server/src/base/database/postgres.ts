/** A database in PostgreSQL: a pool of connections, every statement serializable. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { DatabaseError, Pool, type PoolClient } from 'pg'
import type { Database, SqlValue, Statements } from './database.ts'
import { databaseOver } from './dialect.ts'
import { isRetryable, postgresFailure } from './failure.ts'
import { type PostgresAddress, postgresClient } from './postgres-url.ts'
import { postgresTypes } from './postgres-types.ts'
import { checkedParameters, type Session, type StatementResult, type TransactionSession } from './session.ts'

/** How a PostgreSQL is used. */
export type PostgresOptions = PostgresAddress & {
  /** Connections at most; default 10. */
  readonly connections?: number
  /** How long a statement waits for a lock or for a free connection; default 5,000. */
  readonly busyMs?: number
  /** How long a statement may run, and a transaction wait for its next one; default 30,000. */
  readonly statementMs?: number
}

// Each run lost to another writer that went on: that many in a row mean that something is wrong.
const largestTries = 15

/**
 * Opens a database of a PostgreSQL server, version 14 or later.
 *
 * Throws `database_missing` when the server has none of this name, `database_failed` when it cannot be reached or does not store UTF-8.
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { config, where } = postgresClient(options)
  const { busyMs = 5_000, statementMs = 30_000 } = options
  const pool = new Pool({
    ...config,
    max: options.connections ?? 10,
    connectionTimeoutMillis: busyMs,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: statementMs,
    lock_timeout: busyMs,
    keepAlive: true,
    application_name: 'countersign',
    types: postgresTypes,
  })
  // A connection that breaks while idle is replaced; one that breaks in use fails the statement. Unheard, either would end the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const client = { pool, where, names: new Map<string, string>() }
  const autocommit = retryingSession(client)
  await greet(autocommit, where).catch(async (thrown: unknown) => {
    await pool.end()
    throw thrown
  })
  return databaseOver({
    kind: 'postgres',
    autocommit,
    open: async () => transactionSession(client, await connect(client)),
    translate: numbered(),
    again,
    close: async () => pool.end(),
  })
}

type Server = { readonly pool: Pool; readonly where: string; readonly names: Map<string, string> }
type Client = { readonly client: PoolClient; broken: boolean }

async function greet(session: Session, where: string): Promise<void> {
  const { rows } = await session.execute(`select current_setting('server_encoding') as encoding`, [], { readOnly: true, keep: false })
  if (rows[0]?.['encoding'] === 'UTF8') return
  throw new CountersignError('database_failed', `${where} does not store UTF-8`, { expected: 'UTF8', found: String(rows[0]?.['encoding']) })
}

const prepared = new WeakSet<PoolClient>()

// Confirmed is durable, whatever the server's default says. Serializable for single statements too: otherwise transactions do not see them.
const greeting = `
  set default_transaction_isolation = 'serializable';
  select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'
`

async function connect({ pool, where }: Server): Promise<Client> {
  try {
    const client = await pool.connect()
    if (!prepared.has(client)) {
      await client.query(greeting)
      prepared.add(client)
    }
    return { client, broken: false }
  } catch (thrown) {
    // The pool's words for "none became free".
    const busy = thrown instanceof Error && thrown.message === 'timeout exceeded when trying to connect'
    throw busy
      ? new CountersignError('database_busy', `${where}: every connection is in use`, { cause: thrown })
      : postgresFailure(thrown, where)
  }
}

/** Runs a statement; a failure that is the connection's, not the statement's, marks it as broken. */
async function run(
  server: Server,
  connection: Client,
  text: string,
  parameters: readonly unknown[],
  keep: boolean,
): Promise<StatementResult> {
  const values = [...parameters]
  try {
    const result = await connection.client.query<Record<string, SqlValue>>(
      keep ? { name: nameOf(server.names, text), text, values } : { text, values },
    )
    return { rows: result.rows, affected: result.rowCount ?? 0 }
  } catch (thrown) {
    // FATAL and what comes without a severity end the connection.
    connection.broken ||= !(thrown instanceof DatabaseError) || thrown.severity === 'FATAL'
    throw postgresFailure(thrown, server.where)
  }
}

/** Prepared statements have names; more than a program has texts for are run unnamed. */
function nameOf(names: Map<string, string>, text: string): string {
  const known = names.get(text)
  if (known !== undefined || names.size >= 512) return known ?? ''
  const name = `s${names.size}`
  names.set(text, name)
  return name
}

function sessionOver(statement: (text: string, parameters: readonly unknown[], keep: boolean) => Promise<StatementResult>): Session {
  return {
    execute: async (text, parameters, { keep }) => statement(text, checkedParameters(parameters), keep),
    insert: async (table, columns, rows, conflicts = 'fail') => {
      const { text, parameters } = insertStatement(table, columns, rows, conflicts)
      return (await statement(text, parameters, true)).affected
    },
  }
}

/** Single statements, each on a free connection; run again when PostgreSQL asks for it. */
function retryingSession(server: Server): Session {
  const once = async (text: string, parameters: readonly unknown[], keep: boolean) => {
    const connection = await connect(server)
    try {
      return await run(server, connection, text, parameters, keep)
    } finally {
      connection.client.release(connection.broken)
    }
  }
  return sessionOver(async (text, parameters, keep) => {
    for (let tries = 1; ; tries++) {
      try {
        return await once(text, parameters, keep)
      } catch (thrown) {
        if (!(await again(thrown, tries))) throw thrown
      }
    }
  })
}

function transactionSession(server: Server, connection: Client): TransactionSession {
  const command = (text: string) => run(server, connection, text, [], false)
  return {
    ...sessionOver((text, parameters, keep) => run(server, connection, text, parameters, keep)),
    begin: async () => void (await command('begin isolation level serializable')),
    commit: async () => void (await command('commit')),
    rollback: async () => {
      if (!connection.broken) await command('rollback')
    },
    release: async () => connection.client.release(connection.broken),
  }
}

/** True after a pause, if everything was rolled back because of another writer. A commit whose answer is lost is not repeated: it may have happened. */
async function again(thrown: unknown, tries: number): Promise<boolean> {
  if (!isRetryable(thrown) || tries >= largestTries) return false
  // Random, so that those who met do not meet again.
  await sleep(Math.random() * Math.min(200, 2 ** tries))
  return true
}

/** One statement for any number of rows, the same text for all calls with columns of the same kinds: a column is one array. */
function insertStatement(...[table, columns, rows, conflicts]: Parameters<Statements['insert']>): {
  text: string
  parameters: readonly unknown[]
} {
  const parameters: (readonly SqlValue[])[] = []
  const values = columns.map((_, index) => {
    const column = checkedParameters(rows.map((row) => row[index]))
    const type = arrayType(column)
    if (type === undefined) return 'null'
    parameters.push(column)
    return `unnest($${parameters.length}::${type})`
  })
  const names = columns.map((name) => `"${name}"`).join(', ')
  const text = `insert into "${table}" (${names}) select ${values.join(', ')}`
  return { text: conflicts === 'ignore' ? `${text} on conflict do nothing` : text, parameters }
}

function arrayType(column: readonly SqlValue[]): string | undefined {
  const sample = column.find((value) => value !== null)
  if (sample === undefined) return undefined
  if (typeof sample === 'string') return 'text[]'
  if (typeof sample !== 'number') return 'bytea[]'
  return column.every((value) => Number.isInteger(value)) ? 'bigint[]' : 'double precision[]'
}

/** `?` to `$1`, `$2` …; each text once. */
function numbered(): (text: string) => string {
  const known = new Map<string, string>()
  return (text) => {
    let translated = known.get(text)
    if (translated === undefined) {
      let count = 0
      translated = text.replaceAll('?', () => `$${++count}`)
      if (known.size < 1_024) known.set(text, translated)
    }
    return translated
  }
}
