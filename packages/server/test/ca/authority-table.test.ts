import { expect, it } from 'vitest'
import { authorityMigrations, authorityTable } from '../../src/ca/authority/tables.ts'
import { describeDatabases } from '../base/databases.ts'
import { rejection } from './refusals.ts'

describeDatabases('the record of authorities', (openDatabase) => {
  it('lists, completes, and has one active intermediate at a time, also when two processes activate at once', async () => {
    const { database, another, close } = await openDatabase(authorityMigrations)
    const table = authorityTable(database, () => 7)
    const other = authorityTable(await another(), () => 8)
    await table.add({ name: 'ca-root', role: 'root', status: 'active', chain: 'root' })
    await table.add({ name: 'ca-intermediate-1', role: 'intermediate', status: 'pending', chain: '' })
    await other.add({ name: 'ca-intermediate-2', role: 'intermediate', status: 'standby', chain: 'two' })
    expect(await rejection(table.activate('ca-intermediate-1'))).toBe('authority_missing')
    await other.complete('ca-intermediate-1', 'one')
    expect(await rejection(table.complete('ca-intermediate-1', 'again'))).toBe('authority_missing')
    await Promise.all([table.activate('ca-intermediate-1'), other.activate('ca-intermediate-2')])
    const rows = await table.list()
    expect(rows.filter(({ role, status }) => role === 'intermediate' && status === 'active')).toHaveLength(1)
    expect(rows.map(({ name, chain, createdAt }) => `${name} ${chain} ${createdAt}`)).toEqual([
      'ca-intermediate-1 one 7',
      'ca-root root 7',
      'ca-intermediate-2 two 8',
    ])
    await close()
  })

  it.each([
    ['another role', "('ca-x', 'leaf', 'active', '', 7)"],
    ['another status', "('ca-x', 'root', 'eternal', '', 7)"],
  ])('with %s is damaged', async (_, values) => {
    const { database, close } = await openDatabase(authorityMigrations)
    await database.raw.run(`insert into ca_authorities (name, role, status, chain, created_at) values ${values}`)
    expect(await rejection(authorityTable(database, () => 7).list())).toBe('authority_damaged')
    await close()
  })

  it('never makes one name twice', async () => {
    const { database, close } = await openDatabase(authorityMigrations)
    const table = authorityTable(database, () => 7)
    await table.add({ name: 'ca-root', role: 'root', status: 'active', chain: 'root' })
    expect(await rejection(table.add({ name: 'ca-root', role: 'root', status: 'active', chain: 'other' }))).toBe('database_failed')
    await close()
  })
})
