/** What a driver throws, as failures of the platform: the code says what to do about it, the cause says the rest. */
import { CountersignError } from '@countersign/core/failure'

/** SQLSTATE (PostgreSQL) or extended result code (SQLite, as text) of a database's failure; `undefined` when it came without one. */
export function databaseErrorCode(thrown: unknown): string | undefined {
  const error = thrown instanceof CountersignError ? thrown.cause : thrown
  if (!(error instanceof Error)) return undefined
  if ('errcode' in error && typeof error.errcode === 'number') return String(error.errcode)
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

// SQLITE_CONSTRAINT_UNIQUE and _PRIMARYKEY, and SQLSTATE unique_violation.
const uniqueViolations: ReadonlySet<string | undefined> = new Set(['2067', '1555', '23505'])

/** True if a statement failed because a unique column holds that value already. */
export function isUniqueViolation(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'database_failed' && uniqueViolations.has(databaseErrorCode(thrown))
}

/** A failure of SQLite as one of ours; `file` is named in it. */
export function sqliteFailure(thrown: unknown, file: string): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const code = Number(databaseErrorCode(thrown))
  // The low byte is the primary result code, https://sqlite.org/rescode.html.
  const primary = Number.isNaN(code) ? 0 : code & 0xff
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const parts = { cause: thrown }
  switch (primary) {
    case 5:
    case 6:
      return new CountersignError('database_busy', `${file}: another process keeps the database`, {
        ...parts,
        hint: 'Try again; end what holds it for so long.',
      })
    case 11:
    case 26:
      return new CountersignError('database_damaged', `${file}: ${reason}`, { ...parts, hint: 'Restore the data folder from a backup.' })
    case 8:
    case 13:
    case 14:
    case 10:
      return new CountersignError('database_failed', `${file}: ${reason}`, {
        ...parts,
        hint: 'See that the disk has room, is writable and is whole.',
      })
    default:
      return new CountersignError('database_failed', `${file}: ${reason}`, parts)
  }
}

// Class 57 (shut down, starting), query_canceled by a timeout, lock_not_available, too_many_connections.
const busyStates = /^(57014|55P03|53300|57P03)$/

/** A failure of PostgreSQL or of the way to it as one of ours; `where` names the server without credentials. */
export function postgresFailure(thrown: unknown, where: string): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const state = databaseErrorCode(thrown)
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const parts = { cause: thrown }
  if (isRetryable(thrown) || (state !== undefined && busyStates.test(state))) {
    return new CountersignError('database_busy', `${where}: ${reason}`, parts)
  }
  if (state === 'XX001' || state === 'XX002') return new CountersignError('database_damaged', `${where}: ${reason}`, parts)
  if (state === '3D000')
    return new CountersignError('database_missing', `${where}: ${reason}`, {
      ...parts,
      hint: 'Create the database, or name the right one.',
    })
  const hint = hintOf(state ?? '')
  return new CountersignError('database_failed', `${where}: ${reason}`, hint === undefined ? parts : { ...parts, hint })
}

function hintOf(code: string): string | undefined {
  if (code === '53100') return 'Make room on the disk of the database.'
  if (code.startsWith('28')) return 'Check user and password of the database, and whom it lets in from here.'
  if (/^E[A-Z_]+$/.test(code)) return 'Check that the database runs, and its address in the configuration.'
  return undefined
}

/** True for what PostgreSQL asks to run again from the start: serialization_failure, deadlock_detected. Everything was rolled back then. */
export function isRetryable(thrown: unknown): boolean {
  const state = databaseErrorCode(thrown)
  return state === '40001' || state === '40P01'
}
