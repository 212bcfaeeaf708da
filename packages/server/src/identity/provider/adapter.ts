/** Where the OpenID provider keeps its sessions, codes and grants: the database, so that every replica knows them. */
import { createHash } from 'node:crypto'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import type { Clock } from '../../base/clock.ts'
import type { Statements } from '../../base/database/database.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'

/** Finds clients that are not in the configuration: service accounts. */
export type ClientFinder = (id: string) => Promise<AdapterPayload | undefined>

/** Whether an account may be used. */
export type AccountCheck = (id: string) => Promise<boolean>

/** What the adapter works with. */
export type AdapterParts = {
  readonly statements: Statements
  readonly clock: Clock
  readonly secrets: SecretBox
  readonly findClient: ClientFinder
  readonly isUsable: AccountCheck
}

type Row = { readonly id: string; readonly payload: string; readonly consumed_at: number | null }

/**
 * Makes the adapter of a model, as the provider asks for it. The session of an account that may no longer be used is none.
 *
 * Hostile: who reads the database, or a copy of it. What is in it is sealed, and its names are hashed: a code or session that one finds there
 * logs nobody in.
 */
export function databaseAdapter({ statements, clock, secrets, findClient, isUsable }: AdapterParts): (model: string) => Adapter {
  const seconds = (): number => Math.floor(clock() / 1000)
  return (model) => {
    const hashed = (kind: string, value: string): string => createHash('sha256').update(`${model} ${kind} ${value}`).digest('hex')
    const contextOf = (id: string): string => `identity provider ${model} ${id}`
    const findBy = async (column: 'id' | 'uid' | 'user_code', value: string): Promise<AdapterPayload | undefined> => {
      // Hostile: identifiers come as they were sent. None of ours has a NUL, which no database stores.
      if (value.includes('\0')) return undefined
      if (model === 'Client') return findClient(value)
      const text = `select id, payload, consumed_at from identity_provider where model = ? and ${column} = ? and (expires_at is null or expires_at > ?)`
      const [row] = await statements.query<Row>(text, [model, hashed(column, value), seconds()])
      if (row === undefined) return undefined
      const opened = secrets.open(contextOf(row.id), new Uint8Array(Buffer.from(row.payload, 'base64')))
      const payload = JSON.parse(fromUtf8(opened)) as AdapterPayload
      if (model === 'Session' && payload.accountId !== undefined && !(await isUsable(payload.accountId))) return undefined
      return row.consumed_at === null ? payload : { ...payload, consumed: row.consumed_at }
    }
    return {
      find: (id) => findBy('id', id),
      findByUid: (uid) => findBy('uid', uid),
      findByUserCode: (code) => findBy('user_code', code),
      upsert: async (name, payload, expiresIn) => {
        const id = hashed('id', name)
        const expires = typeof expiresIn === 'number' ? seconds() + expiresIn : null
        const maybe = (kind: string, value: string | undefined): string | null => (value === undefined ? null : hashed(kind, value))
        const names = [grantName(payload.grantId), maybe('user_code', payload.userCode), maybe('uid', payload.uid)]
        const sealed = Buffer.from(secrets.seal(contextOf(id), utf8(JSON.stringify(payload)))).toString('base64')
        const values = [sealed, expires, ...names]
        const update =
          'update identity_provider set payload = ?, expires_at = ?, grant_id = ?, user_code = ?, uid = ? where model = ? and id = ?'
        if ((await statements.run(update, [...values, model, id])) > 0) return
        const columns = ['payload', 'expires_at', 'grant_id', 'user_code', 'uid', 'model', 'id']
        const inserted = await statements.insert('identity_provider', columns, [[...values, model, id]], 'ignore')
        if (inserted === 0) await statements.run(update, [...values, model, id])
      },
      consume: async (id) => {
        const text = 'update identity_provider set consumed_at = ? where model = ? and id = ?'
        await statements.run(text, [seconds(), model, hashed('id', id)])
      },
      destroy: async (id) => {
        await statements.run('delete from identity_provider where model = ? and id = ?', [model, hashed('id', id)])
      },
      revokeByGrantId: async (grantId) => {
        await statements.run('delete from identity_provider where grant_id = ?', [grantName(grantId)])
      },
    }
  }
}

/** A grant is named by rows of several models. */
function grantName(grantId: string | undefined): string | null {
  return grantId === undefined ? null : createHash('sha256').update(`grant ${grantId}`).digest('hex')
}

/** Removes what has ended. To be called now and then. */
export async function sweepProvider(statements: Statements, clock: Clock): Promise<number> {
  return statements.run('delete from identity_provider where expires_at < ?', [Math.floor(clock() / 1000)])
}
