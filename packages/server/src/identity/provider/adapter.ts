/** Where the OpenID provider keeps its sessions, codes and grants: the database, so that every replica knows them. */
import { createHash } from 'node:crypto'
import type { Adapter, AdapterPayload } from 'oidc-provider'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import type { Clock } from '../../base/clock.ts'
import type { Statements } from '../../base/database/database.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'

/** Finds clients that are not in the configuration: service accounts. */
export type ClientFinder = (id: string) => Promise<AdapterPayload | undefined>

/** What the adapter works with. */
export type AdapterParts = {
  readonly statements: Statements
  readonly clock: Clock
  readonly secrets: SecretBox
  readonly findClient: ClientFinder
}

type Row = {
  readonly id: string
  readonly payload: string
  readonly consumed_at: number | null
  readonly account: string | null
  readonly epoch: number | null
  readonly account_epoch: number | null
  readonly disabled_at: number | null
}

const columns = 'p.id, p.payload, p.consumed_at, p.account, p.epoch, a.epoch as account_epoch, a.disabled_at'
const tables = 'identity_provider p left join identity_accounts a on a.id = p.account'

/**
 * Makes the adapter of a model, as the provider asks for it. A session, grant or code of an account that is disabled, or has had another password
 * since, is none: it belongs to the epoch in which it was begun, and a request that still runs can write it again but not renew it.
 *
 * Hostile: who reads the database, or a copy of it. What is in it is sealed, and its names are hashed: a code or session that one finds there
 * logs nobody in.
 */
export function databaseAdapter({ statements, clock, secrets, findClient }: AdapterParts): (model: string) => Adapter {
  const seconds = (): number => Math.floor(clock() / 1000)
  return (model) => {
    const hashed = (kind: string, value: string): string => createHash('sha256').update(`${model} ${kind} ${value}`).digest('hex')
    const contextOf = (id: string): string => `identity provider ${model} ${id}`
    const findBy = async (column: 'id' | 'uid' | 'user_code', value: string): Promise<AdapterPayload | undefined> => {
      // Hostile: identifiers come as they were sent. None of ours has a NUL, which no database stores.
      if (value.includes('\0')) return undefined
      if (model === 'Client') return findClient(value)
      const text = `select ${columns} from ${tables} where p.model = ? and p.${column} = ? and (p.expires_at is null or p.expires_at > ?)`
      const [row] = await statements.query<Row>(text, [model, hashed(column, value), seconds()])
      if (row === undefined || hasEnded(row)) return undefined
      const opened = secrets.open(contextOf(row.id), new Uint8Array(Buffer.from(row.payload, 'base64')))
      const payload = JSON.parse(fromUtf8(opened)) as AdapterPayload
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
        const account = accountOf(payload)
        const values = [sealed, expires, ...names]
        const owner = [account, account === null ? null : await epochOf(statements, account)]
        const update = async (): Promise<number> => statements.run(updating, [...values, account, ...owner.toReversed(), model, id])
        if ((await update()) > 0) return
        const inserted = await statements.insert('identity_provider', inserting, [[...values, ...owner, model, id]], 'ignore')
        if (inserted === 0) await update()
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

/** What is of the same account stays in its epoch. */
const updating =
  'update identity_provider set payload = ?, expires_at = ?, grant_id = ?, user_code = ?, uid = ?, epoch = case when account = ? then epoch else ? end, account = ? where model = ? and id = ?'
const inserting = ['payload', 'expires_at', 'grant_id', 'user_code', 'uid', 'account', 'epoch', 'model', 'id']

function hasEnded({ account, epoch, account_epoch: current, disabled_at: disabled }: Row): boolean {
  return account !== null && (current === null || disabled !== null || epoch !== current)
}

/** Whose it is: of a login that has come to its end, of whoever logged in. */
function accountOf({ accountId, session, result }: AdapterPayload): string | null {
  const login = (result as { readonly login?: { readonly accountId?: string } } | undefined)?.login
  return login?.accountId ?? accountId ?? (session as { readonly accountId?: string } | undefined)?.accountId ?? null
}

async function epochOf(statements: Statements, account: string): Promise<number> {
  const [row] = await statements.query<{ epoch: number }>('select epoch from identity_accounts where id = ?', [account])
  return row?.epoch ?? 0
}

/** A grant is named by rows of several models. */
function grantName(grantId: string | undefined): string | null {
  return grantId === undefined ? null : createHash('sha256').update(`grant ${grantId}`).digest('hex')
}

/** Removes what has ended. To be called now and then. */
export async function sweepProvider(statements: Statements, clock: Clock): Promise<number> {
  return statements.run('delete from identity_provider where expires_at < ?', [Math.floor(clock() / 1000)])
}
