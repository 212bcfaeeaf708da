import { databaseLeases, leaseMigrations } from '@countersign/server/base/leases/database-leases'
import { registerCases } from '@countersign/testkit/contracts/contract'
import { leasesContract, type LeasesOf } from '@countersign/testkit/contracts/leases'
import { expect, it } from 'vitest'
import { describeDatabases } from '../databases.ts'

describeDatabases('leases', (openDatabase, kind) => {
  const open = async () => {
    const { database, another, close } = await openDatabase(leaseMigrations)
    const second = await another()
    // Every other holder is another process.
    const port: LeasesOf = (holder) => databaseLeases(holder.charCodeAt(holder.length - 1) % 2 === 0 ? database : second, Date.now, holder)
    return { port, close }
  }
  registerCases(it, leasesContract({ open }))

  it.runIf(kind === 'postgres')('end by the clock of the database, whatever the clocks of the holders say', async () => {
    const { database, close } = await openDatabase(leaseMigrations)
    const slow = databaseLeases(database, () => 1_000, 'slow')
    const fast = databaseLeases(database, () => 9e12, 'fast')
    expect(await slow.take('sequencer', 60_000)).toEqual({ name: 'sequencer', fence: 1, expiresAt: 61_000 })
    expect(await fast.take('sequencer', 60_000)).toBeUndefined()
    await close()
  })
})
