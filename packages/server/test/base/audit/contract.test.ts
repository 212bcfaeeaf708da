import { generateKeyPairSync } from 'node:crypto'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { auditMigrations } from '@countersign/server/base/audit/audit-record'
import { databaseAudit } from '@countersign/server/base/audit/database-audit'
import { verifyAudit } from '@countersign/server/base/audit/read-audit'
import { signMessage, verifyMessage } from '@countersign/server/base/crypto/primitives'
import { auditContract, auditEvent } from '@countersign/testkit/contracts/audit'
import { registerCases } from '@countersign/testkit/contracts/contract'
import { expect, it } from 'vitest'
import { describeDatabases } from '../databases.ts'

describeDatabases('the audit log', (openDatabase) => {
  const open = async () => {
    const { database, another, close } = await openDatabase(auditMigrations)
    const databases = [database, await another()]
    let writers = 0
    const writer = () => {
      let now = 0
      return databaseAudit(databases[writers++ % 2] ?? database, () => (now += 1_000))
    }
    return { port: { database, writer }, close }
  }
  registerCases(it, auditContract({ open }))

  it('is signed by its key, so that a chain which someone made up is refused', async () => {
    const { database, close } = await openDatabase(auditMigrations)
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const spki = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
    const algorithm = defaultAlgorithm(spki)
    const key = { name: 'audit', publicKey: spki, algorithm, sign: (message: Uint8Array) => signMessage(algorithm, privateKey, message) }
    const anchors = { verify: (message: Uint8Array, signature: Uint8Array) => verifyMessage(algorithm, spki, message, signature) }
    const audit = databaseAudit(database, Date.now, { key })
    await Promise.all([1, 2, 3].map((count) => audit.record(auditEvent(`thing ${count}`))))
    await audit.record(auditEvent('thing 4'))
    expect(await verifyAudit(database, anchors)).toMatchObject({ ok: true, head: { sequence: 4 } })

    await databaseAudit(database, Date.now).record(auditEvent('unsigned'))
    expect(await verifyAudit(database, anchors)).toMatchObject({ ok: false, code: 'audit_damaged', sequence: 5 })
    await database.raw.run('delete from audit_records where sequence > 3')
    await database.raw.run(
      'update audit_records set signature = (select signature from audit_records where sequence = 3) where sequence = 2',
    )
    expect(await verifyAudit(database, anchors)).toMatchObject({ ok: false, code: 'audit_damaged', sequence: 2 })
    await close()
  })
})
