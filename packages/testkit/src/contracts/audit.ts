/** What every `Audit` over a database does. */
import assert from 'node:assert/strict'
import { CountersignError } from '@countersign/core/failure'
import type { AuditEvent } from '@countersign/server/base/audit/audit'
import type { DatabaseAudit } from '@countersign/server/base/audit/database-audit'
import { findAuditRecord, readAudit, verifyAudit } from '@countersign/server/base/audit/read-audit'
import { auditHead } from '@countersign/server/base/audit/database-audit'
import type { Database } from '@countersign/server/base/database/database'
import { type PortCase, portCases, type PortSubject } from './contract.ts'

/** An audit log that several write to. */
export type AuditLog = {
  readonly database: Database
  /** A writer, as one process has it; time is 1,000 more at each record. */
  readonly writer: () => DatabaseAudit
}

/** The contract as cases for any test framework. */
export function auditContract(subject: PortSubject<AuditLog, AuditSentence>): readonly PortCase[] {
  return portCases(subject, sentences)
}

/** The sentences of the contract. */
export type AuditSentence = keyof typeof sentences

/** An event to record. */
export function auditEvent(subject: string, change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    action: 'test.happened',
    actor: 'alice',
    subject,
    from: '192.0.2.1',
    outcome: 'done',
    detail: { attempt: 1, forced: false },
    ...change,
  }
}

const sentences = {
  'gives a record back by its identifier, as it happened': async ({ database, writer }: AuditLog): Promise<void> => {
    const event = auditEvent('thing', { outcome: 'refused', detail: { reason: 'naïve \u{1f511}', count: 3, last: true } })
    const id = await writer().record(event)
    assert.match(id, /^[0-9A-HJKMNP-TV-Z]{20}$/)
    const record = await findAuditRecord(database, id)
    assert.deepEqual({ ...record, detail: { ...record?.detail } }, { sequence: 1, id, at: 1_000, ...event })
    assert.equal(await findAuditRecord(database, 'none'), undefined)
  },
  'keeps what was done from an address that nobody knows any more': async ({ database, writer }: AuditLog): Promise<void> => {
    // What Node says of a connection that is gone.
    const from = undefined as unknown as string
    const id = await writer().record(auditEvent('thing', { from }))
    assert.equal((await findAuditRecord(database, id))?.from, 'unknown')
  },
  'keeps one chain of what comes at once': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    const ids = await Promise.all(Array.from({ length: 600 }, (_, index) => audit.record(auditEvent(`thing ${index}`))))
    assert.equal(new Set(ids).size, 600)
    const verification = await verifyAudit(database)
    assert.ok(verification.ok)
    assert.equal(verification.head.sequence, 600)
  },
  'keeps one chain of several writers': async ({ database, writer }: AuditLog): Promise<void> => {
    const writers = [writer(), writer(), writer()]
    const recording = writers.map(async (audit, index) => {
      for (let count = 0; count < 15; count++) await audit.record(auditEvent(`${index}/${count}`))
    })
    await Promise.all(recording)
    const verification = await verifyAudit(database)
    assert.ok(verification.ok)
    assert.equal(verification.head.sequence, 45)
  },
  'records a change in the transaction that makes it, or neither': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    await database.transaction(async (_, statements) => void (await audit.recordWithin(statements, auditEvent('made'))))
    const failing = database.transaction(async (_, statements) => {
      await audit.recordWithin(statements, auditEvent('not made'))
      throw new CountersignError('usage', 'not now')
    })
    await assert.rejects(failing)
    await audit.record(auditEvent('after'))
    assert.deepEqual(
      (await readAudit(database)).map(({ subject }) => subject),
      ['after', 'made'],
    )
    assert.equal((await verifyAudit(database)).ok, true)
  },
  'gives pages, newest first, of who did what to what': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    for (const actor of ['alice', 'bob', 'alice', 'alice'])
      await audit.record(auditEvent(`by ${actor}`, { actor, action: `test.${actor}` }))
    const page = await readAudit(database, { limit: 2 })
    assert.deepEqual(
      page.map(({ sequence }) => sequence),
      [4, 3],
    )
    const rest = await readAudit(database, { before: 3, actor: 'alice' })
    assert.deepEqual(
      rest.map(({ sequence }) => sequence),
      [1],
    )
    assert.equal((await readAudit(database, { action: 'test.bob', subject: 'by bob' })).length, 1)
    assert.equal((await readAudit(database, { actor: 'Alice' })).length, 0)
  },
  'names the first record that was changed, removed or exchanged': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    for (let count = 1; count <= 9; count++) await audit.record(auditEvent(`thing ${count}`))
    const attacks: readonly (readonly [number, string])[] = [
      [8, `delete from audit_records where sequence = 8`],
      [7, `update audit_records set sequence = 70 where sequence = 7`],
      [6, `update audit_records set detail = '{}' where sequence = 6`],
      [5, `update audit_records set outcome = 'refused' where sequence = 5`],
      [4, `update audit_records set at = at + 1 where sequence = 4`],
      [3, `update audit_records set hash = (select hash from audit_records where sequence = 1) where sequence = 3`],
      [2, `update audit_records set actor = 'mallory' where sequence = 2`],
    ]
    for (const [sequence, attack] of attacks) {
      assert.equal(await database.raw.run(attack), 1)
      const verification = await verifyAudit(database)
      assert.ok(!verification.ok)
      assert.equal(verification.sequence, sequence)
    }
  },
  'shows that the newest records were cut off or made anew to who kept a head': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    for (let count = 1; count <= 3; count++) await audit.record(auditEvent(`thing ${count}`))
    const head = await auditHead(database.raw)
    assert.equal((await verifyAudit(database, { heads: [head] })).ok, true)
    await database.raw.run('delete from audit_records where sequence = 3')
    assert.equal((await verifyAudit(database)).ok, true)
    assert.equal((await verifyAudit(database, { heads: [head] })).ok, false)
    await audit.record(auditEvent('another third'))
    const verification = await verifyAudit(database, { heads: [head] })
    assert.ok(!verification.ok)
    assert.equal(verification.sequence, 3)
  },
  'records whatever people and tokens call themselves': async ({ database, writer }: AuditLog): Promise<void> => {
    const audit = writer()
    await audit.record(
      auditEvent('a\0b', { actor: '\u{d800}', from: 'x'.repeat(5_000), detail: { name: 'c\0d\u{dfff}', '\0\u{d800}': 'odd' } }),
    )
    const [record] = await readAudit(database)
    assert.equal(record?.subject, 'a\u{fffd}b')
    assert.equal(record?.actor, '\u{fffd}')
    assert.equal(record?.from.length, 1_025)
    assert.equal(record?.detail['name'], 'c\u{fffd}d\u{fffd}')
    assert.equal((await verifyAudit(database)).ok, true)
  },
  'refuses a detail beyond all bounds, and a word that is no action': async ({ writer }: AuditLog): Promise<void> => {
    const audit = writer()
    const detail = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`name ${index}`, 'x'.repeat(1_000)]))
    await assert.rejects(audit.record(auditEvent('thing', { detail })), isInternal)
    await assert.rejects(audit.record(auditEvent('thing', { action: 'Happened!' })), isInternal)
    await audit.record(auditEvent('thing'))
  },
}

function isInternal(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'internal'
}
