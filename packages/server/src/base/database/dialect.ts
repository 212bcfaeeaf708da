/** The query builder over our sessions: one driver for both databases. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { CountersignError } from '@countersign/core/failure'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type DialectAdapter,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely'
import type { Database, NoTables } from './database.ts'
import { isSelect, type Session, statementsOf, strictTransaction, type TransactionSession } from './session.ts'

/** What a database is made of. */
export type Engine = {
  readonly kind: Database['kind']
  /** Runs single statements, each its own transaction. */
  readonly autocommit: Session
  /** Opens a session for one transaction. */
  readonly open: () => Promise<TransactionSession>
  /** `?` in the database's own syntax. */
  readonly translate: (text: string) => string
  /** True if a transaction that failed with this should run again, after having waited where that helps. */
  readonly again: (thrown: unknown, attempt: number) => Promise<boolean>
  readonly close: () => Promise<void>
}

/** Where a piece of code is: inside a transaction until it is over. */
type Scope = { session: TransactionSession | undefined; open: boolean }

/** A database over an engine. */
export function databaseOver(engine: Engine): Database {
  const scopes = new AsyncLocalStorage<Scope>()
  const sql = new Kysely<NoTables>({ dialect: dialectOf(engine, scopes) })
  let closing: Promise<void> | undefined
  const attempt = <T>(work: Parameters<Database['transaction']>[0]): Promise<T> => {
    const scope: Scope = { session: undefined, open: true }
    const transaction = sql.transaction()
    return scopes
      .run(scope, () =>
        transaction.execute(
          (tx) =>
            work(
              tx,
              statementsOf(() => scope.session ?? lost(), engine.translate),
            ) as Promise<T>,
        ),
      )
      .finally(() => (scope.open = false))
  }
  return {
    kind: engine.kind,
    sql,
    raw: statementsOf(() => outside(scopes, engine.autocommit), engine.translate),
    transaction: async (work) => {
      outside(scopes, engine)
      for (let tries = 1; ; tries++) {
        try {
          return await attempt(work)
        } catch (thrown) {
          if (!(await engine.again(thrown, tries))) throw thrown
        }
      }
    },
    // The query builder stays: what comes late fails as the engine's failures do.
    close: () => (closing ??= engine.close()),
  }
}

function lost(): never {
  throw new CountersignError('internal', 'a transaction has no session')
}

/** Beside its own transaction a statement would wait for ever (SQLite) or see another state (PostgreSQL): a mistake that must show in the first test. */
function outside<T>(scopes: AsyncLocalStorage<Scope>, value: T): T {
  if (scopes.getStore()?.open === true)
    throw new CountersignError('internal', 'a statement inside a transaction does not go through the transaction')
  return value
}

function dialectOf(engine: Engine, scopes: AsyncLocalStorage<Scope>): Dialect {
  const sqlite = engine.kind === 'sqlite'
  return {
    createDriver: () => driverOf(engine, scopes),
    createQueryCompiler: () => (sqlite ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    createAdapter: () => (sqlite ? manyConnections(new SqliteAdapter()) : new PostgresAdapter()),
    createIntrospector: (db) => (sqlite ? new SqliteIntrospector(db) : new PostgresIntrospector(db)),
  }
}

/** Kysely would put every statement behind one lock; our sessions take turns by themselves, and reads need none. */
function manyConnections(adapter: DialectAdapter): DialectAdapter {
  return Object.defineProperty(adapter, 'supportsMultipleConnections', { value: true })
}

type Connection = DatabaseConnection & { readonly session: TransactionSession | undefined }

function driverOf(engine: Engine, scopes: AsyncLocalStorage<Scope>): Driver {
  const sessionOf = (connection: DatabaseConnection) => (connection as Connection).session ?? lost()
  return {
    init: async () => undefined,
    acquireConnection: async () => {
      const scope = scopes.getStore()
      // The first connection of a transaction's scope is the transaction's own; there is no second one.
      if (scope?.open !== true) return connectionOf(engine.autocommit, undefined)
      if (scope.session !== undefined) return outside(scopes, connectionOf(engine.autocommit, undefined))
      scope.session = strictTransaction(await engine.open())
      return connectionOf(scope.session, scope.session)
    },
    beginTransaction: async (connection) => sessionOf(connection).begin(),
    commitTransaction: async (connection) => sessionOf(connection).commit(),
    rollbackTransaction: async (connection) => sessionOf(connection).rollback(),
    releaseConnection: async (connection) => (connection as Connection).session?.release(),
    destroy: async () => undefined,
  }
}

function connectionOf(session: Session, transaction: TransactionSession | undefined): Connection {
  return {
    session: transaction,
    executeQuery: async <Row>({ sql, parameters, query }: CompiledQuery): Promise<QueryResult<Row>> => {
      const { rows, affected } = await session.execute(sql, parameters, {
        readOnly: query.kind === 'SelectQueryNode' || isSelect(sql),
        keep: false,
      })
      return { rows: rows as readonly unknown[] as Row[], numAffectedRows: BigInt(affected) }
    },
    // A stream would hold a snapshot for as long as its reader likes.
    streamQuery: <Row>(): AsyncIterableIterator<QueryResult<Row>> => {
      throw new CountersignError('internal', 'queries are read page by page, not as streams')
    },
  }
}
