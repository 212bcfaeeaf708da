/** What the identity room keeps in the database. */
import { sql } from 'kysely'
import type { Migration } from '../../base/database/database.ts'

/** Accounts, and what lets somebody in. No account is ever deleted: an address belongs to one for ever. */
export const accountMigrations: readonly Migration[] = [
  {
    name: 'identity-0001-accounts',
    up: async (database, types) => {
      await database.schema
        .createTable('identity_accounts')
        .addColumn('id', types.text, (column) => column.primaryKey())
        .addColumn('name', types.text, (column) => column.notNull().unique())
        .addColumn('email', types.text, (column) => column.notNull())
        .addColumn('email_key', types.text, (column) => column.notNull().unique())
        .addColumn('kind', types.text, (column) => column.notNull())
        .addColumn('administrator', types.integer, (column) => column.notNull())
        .addColumn('created_at', types.integer, (column) => column.notNull())
        .addColumn('disabled_at', types.integer)
        .addColumn('password', types.text)
        .addColumn('totp', types.bytes)
        .addColumn('secret', types.bytes)
        .addColumn('totp_step', types.integer)
        .addColumn('upstream', types.text)
        .addColumn('upstream_subject', types.text)
        .addUniqueConstraint('identity_accounts_upstream', ['upstream', 'upstream_subject'])
        .execute()
      await database.schema
        .createTable('identity_links')
        .addColumn('hash', types.bytes, (column) => column.primaryKey())
        .addColumn('account', types.text, (column) => column.notNull())
        .addColumn('expires_at', types.integer, (column) => column.notNull())
        .addColumn('used_at', types.integer)
        .execute()
    },
  },
  {
    name: 'identity-0002-provider',
    up: async (database, types) => {
      await database.schema
        .createTable('identity_provider')
        .addColumn('model', types.text, (column) => column.notNull())
        .addColumn('id', types.text, (column) => column.notNull())
        .addColumn('payload', types.text, (column) => column.notNull())
        .addColumn('expires_at', types.integer)
        .addColumn('grant_id', types.text)
        .addColumn('user_code', types.text)
        .addColumn('uid', types.text)
        .addColumn('consumed_at', types.integer)
        .addPrimaryKeyConstraint('identity_provider_key', ['model', 'id'])
        .execute()
      for (const column of ['expires_at', 'grant_id', 'user_code', 'uid'] as const)
        await database.schema.createIndex(`identity_provider_${column}`).on('identity_provider').column(column).execute()
    },
  },
  {
    name: 'identity-0003-epochs',
    up: async (database, types) => {
      await database.schema
        .alterTable('identity_accounts')
        .addColumn('epoch', types.integer, (column) => column.notNull().defaultTo(0))
        .execute()
      await database.schema.alterTable('identity_provider').addColumn('account', types.text).execute()
      await database.schema.alterTable('identity_provider').addColumn('epoch', types.integer).execute()
      // Of what is there nobody knows whose it is: people log in once more.
      await sql`delete from identity_provider where model <> 'installation'`.execute(database)
    },
  },
]
