/** What the logs keep in the database: heads and checkpoints, staged batches, and which entry has which index. */
import { sql } from 'kysely'
import type { Migration } from '../../base/database/database.ts'

/** The tables of all logs; a tree is a number in them, since it stands in every row. */
export const logMigrations: readonly Migration[] = [
  {
    name: 'log-0001-trees',
    up: async (database, types) => {
      await database.schema
        .createTable('log_trees')
        .addColumn('id', types.integer, (column) => column.primaryKey())
        .addColumn('name', types.text, (column) => column.notNull().unique())
        .addColumn('origin', types.text, (column) => column.notNull())
        .addColumn('frozen', types.integer, (column) => column.notNull())
        .addColumn('head_size', types.integer, (column) => column.notNull())
        .addColumn('head_root', types.bytes, (column) => column.notNull())
        .addColumn('published_size', types.integer, (column) => column.notNull())
        .addColumn('published_root', types.bytes, (column) => column.notNull())
        .addColumn('published_note', types.text, (column) => column.notNull())
        .addColumn('published_at', types.integer, (column) => column.notNull())
        .execute()
      await database.schema
        .createTable('log_batches')
        .addColumn('tree', types.integer, (column) => column.notNull())
        .addColumn('first', types.integer, (column) => column.notNull())
        .addColumn('count', types.integer, (column) => column.notNull())
        .addColumn('integrated_at', types.integer, (column) => column.notNull())
        .addPrimaryKeyConstraint('log_batches_key', ['tree', 'first'])
        .execute()
      await database.schema
        .createTable('log_staged')
        .addColumn('tree', types.integer, (column) => column.notNull())
        .addColumn('first', types.integer, (column) => column.notNull())
        .addColumn('count', types.integer, (column) => column.notNull())
        .addColumn('leaves', types.bytes, (column) => column.notNull())
        .addColumn('entries', types.bytes, (column) => column.notNull())
        .addPrimaryKeyConstraint('log_staged_key', ['tree', 'first'])
        .execute()
    },
  },
  {
    name: 'log-0002-indices',
    up: async (database, types) => {
      const builder = database.schema
        .createTable('log_identities')
        .addColumn('tree', types.integer, (column) => column.notNull())
        .addColumn('identity', types.bytes, (column) => column.notNull())
        .addColumn('idx', types.integer, (column) => column.notNull())
        .addPrimaryKeyConstraint('log_identities_key', ['tree', 'identity'])
      // Rows that are little more than their key: SQLite would keep each twice.
      await (types.bytes === 'blob' ? builder.modifyEnd(sql`without rowid`) : builder).execute()
    },
  },
  {
    name: 'log-0003-queue',
    up: async (database, types) => {
      await database.schema
        .createTable('log_queue')
        .addColumn('id', types.text, (column) => column.primaryKey())
        .addColumn('tree', types.integer, (column) => column.notNull())
        .addColumn('queued_at', types.integer, (column) => column.notNull())
        .addColumn('data', types.bytes, (column) => column.notNull())
        .addColumn('leaf', types.bytes, (column) => column.notNull())
        .addColumn('identity', types.bytes, (column) => column.notNull())
        .addColumn('number_offset', types.integer)
        .addColumn('number_prefix', types.bytes)
        .addColumn('number_bytes', types.integer)
        .addColumn('idx', types.integer)
        .addColumn('duplicate', types.integer)
        .execute()
      await database.schema.createIndex('log_queue_order').on('log_queue').columns(['tree', 'idx', 'queued_at']).execute()
    },
  },
]
