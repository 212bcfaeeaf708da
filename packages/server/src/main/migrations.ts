/** Every step of the schema, room by room, in the order in which they run. */
import { auditMigrations } from '../base/audit/audit-record.ts'
import { installationMigrations } from '../base/data-folder/installation-record.ts'
import type { Migration } from '../base/database/database.ts'
import { leaseMigrations } from '../base/leases/database-leases.ts'
import { authorityMigrations } from '../ca/authority/tables.ts'
import { accountMigrations } from '../identity/accounts/tables.ts'
import { logMigrations } from '../log/engine/tables.ts'
import { searchMigrations } from '../log/search/tables.ts'
import { witnessKeyMigrations } from '../log/witness/keys.ts'
import { witnessMigrations } from '../log/witness/service.ts'
import { trustMigrations } from '../trust/tables.ts'
import { clockMigrations } from '../tsa/clock/confirmations.ts'

/** The schema of this version. */
export const migrations: readonly Migration[] = [
  ...installationMigrations,
  ...leaseMigrations,
  ...auditMigrations,
  ...logMigrations,
  ...searchMigrations,
  ...authorityMigrations,
  ...trustMigrations,
  ...accountMigrations,
  ...witnessMigrations,
  ...witnessKeyMigrations,
  ...clockMigrations,
]
