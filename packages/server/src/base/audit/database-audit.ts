/** The audit log in the database: one chain, whoever writes to it; records that come together share a commit. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { canonicalJson } from '@countersign/core/json/canonical'
import type { Clock } from '../clock.ts'
import type { Database, Statements } from '../database/database.ts'
import type { RoleKey } from '../keys/role-key.ts'
import { auditId } from './audit-id.ts'
import { type AuditHead, type AuditRow, auditColumns, auditHash, auditHeadMessage, emptyAudit } from './audit-record.ts'
import type { Audit, AuditEvent } from './audit.ts'

/** What the audit log takes from outside. */
export type AuditOptions = {
  /** Signs the head of each group, so that who can write to the database alone cannot make up another chain. */
  readonly key?: RoleKey
  /** Random bytes; default: the system's. */
  readonly random?: (length: number) => Uint8Array
}

type Unplaced = Omit<AuditRow, 'sequence' | 'hash' | 'signature'>
type Pending = { readonly row: Unplaced; readonly resolve: (id: string) => void; readonly reject: (thrown: unknown) => void }

const largestGroup = 256
const longestText = 1_024
const largestDetail = 16 * 1024

/** The audit log of a database, which can also record a change in the transaction that makes it. */
export type DatabaseAudit = Audit & {
  /** Appends in a transaction of the same database: the record is there if, and only if, what the transaction did is. */
  readonly recordWithin: (transaction: Statements, event: AuditEvent) => Promise<string>
}

/** Appends to the audit log of a database. Rejects with the failures of `Database`, or with `signer_unavailable`: nothing was recorded then. */
export function databaseAudit(database: Database, clock: Clock, options: AuditOptions = {}): DatabaseAudit {
  const { key, random = (length) => new Uint8Array(randomBytes(length)) } = options
  const pending: Pending[] = []
  let writing = false

  const write = async () => {
    for (let group = pending.splice(0, largestGroup); group.length > 0; group = pending.splice(0, largestGroup)) {
      try {
        // One transaction: of two processes that read the same head one writes, and the other begins again.
        const rows = group.map(({ row }) => row)
        await database.transaction((_, statements) => append(statements, rows, key))
        for (const { row, resolve } of group) resolve(row.id)
      } catch (thrown) {
        for (const { reject } of group) reject(thrown)
      }
    }
    writing = false
  }
  const placed = (event: AuditEvent): Unplaced => {
    const at = clock()
    return rowOf(event, at, auditId(at, random(10)))
  }
  // Writes for whoever waits: not as a part of what the first of them was doing.
  const apart = AsyncLocalStorage.snapshot()
  return {
    record: (event) =>
      new Promise((resolve, reject) => {
        pending.push({ row: placed(event), resolve, reject })
        if (writing) return
        writing = true
        apart(() => void write())
      }),
    recordWithin: async (transaction, event) => {
      const row = placed(event)
      await append(transaction, [row], key)
      return row.id
    },
  }
}

/** Where the log stands; also inside a transaction. */
export async function auditHead(statements: Statements): Promise<AuditHead> {
  const [last] = await statements.query<{ sequence: number; hash: Uint8Array }>(
    'select sequence, hash from audit_records order by sequence desc limit 1',
  )
  return last ?? emptyAudit
}

async function append(statements: Statements, rows: readonly Unplaced[], key: RoleKey | undefined): Promise<void> {
  let head = await auditHead(statements)
  const chained: AuditRow[] = []
  for (const row of rows) {
    const placed = { sequence: head.sequence + 1, ...row, hash: head.hash, signature: null }
    head = { sequence: placed.sequence, hash: auditHash(head.hash, placed) }
    chained.push({ ...placed, hash: head.hash })
  }
  const signature = (await key?.sign(auditHeadMessage(head))) ?? null
  const values = chained.map((row) =>
    auditColumns.map((name) => (name === 'signature' && row.sequence === head.sequence ? signature : row[name])),
  )
  await statements.insert('audit_records', auditColumns, values)
}

/** Text from outside (names in tokens) is cut and mended rather than refused: nobody keeps what they did out of the log by how they are called. */
function rowOf(event: AuditEvent, at: number, id: string): Unplaced {
  if (!/^[a-z0-9_]{1,40}\.[a-z0-9_]{1,60}$/.test(event.action))
    throw new CountersignError('internal', `${event.action} is no action of the audit log`)
  const detail = Object.fromEntries(
    Object.entries(event.detail).map(([name, value]) => [mended(name), typeof value === 'string' ? mended(value) : value]),
  )
  const json = canonicalJson(detail)
  if (json.length > largestDetail) throw new CountersignError('internal', `the detail of ${event.action} has ${json.length} bytes`)
  return {
    id,
    at,
    action: event.action,
    actor: mended(event.actor),
    subject: mended(event.subject),
    // Hostile: whoever sends and closes at once leaves no address behind, and must not get out of the log by that.
    origin: mended(event.from ?? 'unknown'),
    outcome: event.outcome,
    detail: fromUtf8(json),
  }
}

/** Storable text of bounded length. */
function mended(text: string): string {
  const cut = text.length > longestText ? `${text.slice(0, longestText)}…` : text
  return cut.toWellFormed().replaceAll('\0', '\u{fffd}')
}
