/** The search index: keys of entries, as short hashes, and how far each log has been read. It proves nothing and can be made again. */
import { sql } from 'kysely'
import type { Migration } from '../../base/database/database.ts'

/** Tables of the index. */
export const searchMigrations: readonly Migration[] = [
  {
    name: 'search-0001-keys',
    up: async (database, types) => {
      const keys = database.schema
        .createTable('log_search_keys')
        .addColumn('hash', types.bytes, (column) => column.notNull())
        .addColumn('log', types.text, (column) => column.notNull())
        .addColumn('idx', types.integer, (column) => column.notNull())
        .addPrimaryKeyConstraint('log_search_keys_key', ['hash', 'log', 'idx'])
      // Rows that are little more than their key: SQLite would keep each twice.
      await (types.bytes === 'blob' ? keys.modifyEnd(sql`without rowid`) : keys).execute()
      await database.schema
        .createTable('log_search_progress')
        .addColumn('log', types.text, (column) => column.primaryKey())
        .addColumn('size', types.integer, (column) => column.notNull())
        .execute()
    },
  },
  {
    name: 'search-0002-names',
    // Everything is read once more: names are found under other keys, and only those in certificates of our own.
    up: async (database) => void (await sql`delete from log_search_progress`.execute(database)),
  },
]
