/** Every step of the schema, room by room, in the order in which they run. */
import { installationMigrations } from '../base/data-folder/installation-record.ts'
import type { Migration } from '../base/database/database.ts'
import { leaseMigrations } from '../base/leases/database-leases.ts'

/** The schema of this version. */
export const migrations: readonly Migration[] = [...installationMigrations, ...leaseMigrations]
