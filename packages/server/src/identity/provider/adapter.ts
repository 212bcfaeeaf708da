/** Where the OpenID provider keeps its sessions, codes and grants: the database, so that every replica knows them. */
import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { Clock } from '../../base/clock.ts'
import type { Statements } from '../../base/database/database.ts'

/** Finds clients that are not in the configuration: service accounts. */
export type ClientFinder = (id: string) => Promise<AdapterPayload | undefined>

/** Whether an account may be used. */
export type AccountCheck = (id: string) => Promise<boolean>

/** Makes the adapter of a model, as the provider asks for it. The session of an account that may no longer be used is none. */
export function databaseAdapter(
  statements: Statements,
  clock: Clock,
  findClient: ClientFinder,
  isUsable: AccountCheck,
): (model: string) => Adapter {
  const seconds = (): number => Math.floor(clock() / 1000)
  return (model) => {
    const findBy = async (column: 'id' | 'uid' | 'user_code', value: string): Promise<AdapterPayload | undefined> => {
      if (model === 'Client') return findClient(value)
      const text = `select payload, consumed_at from identity_provider where model = ? and ${column} = ? and (expires_at is null or expires_at > ?)`
      const [row] = await statements.query<{ payload: string; consumed_at: number | null }>(text, [model, value, seconds()])
      if (row === undefined) return undefined
      const payload = JSON.parse(row.payload) as AdapterPayload
      if (model === 'Session' && payload.accountId !== undefined && !(await isUsable(payload.accountId))) return undefined
      return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at }
    }
    return {
      find: (id) => findBy('id', id),
      findByUid: (uid) => findBy('uid', uid),
      findByUserCode: (code) => findBy('user_code', code),
      upsert: async (id, payload, expiresIn) => {
        const expires = typeof expiresIn === 'number' ? seconds() + expiresIn : null
        const values = [JSON.stringify(payload), expires, payload.grantId ?? null, payload.userCode ?? null, payload.uid ?? null]
        const update =
          'update identity_provider set payload = ?, expires_at = ?, grant_id = ?, user_code = ?, uid = ? where model = ? and id = ?'
        if ((await statements.run(update, [...values, model, id])) > 0) return
        const columns = ['payload', 'expires_at', 'grant_id', 'user_code', 'uid', 'model', 'id']
        const inserted = await statements.insert('identity_provider', columns, [[...values, model, id]], 'ignore')
        if (inserted === 0) await statements.run(update, [...values, model, id])
      },
      consume: async (id) => {
        await statements.run('update identity_provider set consumed_at = ? where model = ? and id = ?', [seconds(), model, id])
      },
      destroy: async (id) => {
        await statements.run('delete from identity_provider where model = ? and id = ?', [model, id])
      },
      revokeByGrantId: async (grantId) => {
        await statements.run('delete from identity_provider where grant_id = ?', [grantId])
      },
    }
  }
}

/** Removes what has ended. To be called now and then. */
export async function sweepProvider(statements: Statements, clock: Clock): Promise<number> {
  return statements.run('delete from identity_provider where expires_at < ?', [Math.floor(clock() / 1000)])
}
