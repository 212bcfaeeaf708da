/** What the database knows of the installation that it belongs to: a database that was exchanged, or made anew, is not served from. */
import { CountersignError } from '@countersign/core/failure'
import type { Database, Migration } from '../database/database.ts'
import type { Installation } from './installation.ts'

/** The table of the one row. */
export const installationMigrations: readonly Migration[] = [
  {
    name: 'base-0001-installation',
    up: async (sql, types) => {
      await sql.schema
        .createTable('installation')
        .addColumn('one', types.integer, (column) => column.primaryKey())
        .addColumn('id', types.text, (column) => column.notNull())
        .addColumn('created_at', types.integer, (column) => column.notNull())
        .execute()
    },
  },
]

/** A step of the first start: writes the row; nothing when it is there. Throws `data_folder_occupied` when the database is another installation's. */
export async function recordInstallation(database: Database, installation: Installation): Promise<void> {
  await database.raw.insert('installation', ['one', 'id', 'created_at'], [[1, installation.id, installation.createdAt]], 'ignore')
  const found = await readId(database)
  if (found === installation.id) return
  throw new CountersignError('data_folder_occupied', 'the database belongs to another installation', {
    expected: 'an empty database',
    hint: 'Name another database, or copy the data folder of its installation (without its database) here.',
  })
}

/** At every later start. Throws `data_folder_damaged` when the database is not that of the folder. */
export async function demandInstallation(database: Database, installation: Installation): Promise<void> {
  if ((await readId(database)) === installation.id) return
  throw new CountersignError('data_folder_damaged', 'the database is not the one of this data folder', {
    hint: 'Restore both from the same backup, or correct the configuration of the database.',
  })
}

async function readId(database: Database): Promise<string | undefined> {
  const [row] = await database.raw.query<{ id: string }>('select id from installation where one = 1')
  return row?.id
}
