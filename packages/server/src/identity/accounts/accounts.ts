/** The accounts of this installation. They work from several processes at once: the database decides. */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import type { Audit } from '../../base/audit/audit.ts'
import type { Clock } from '../../base/clock.ts'
import type { Database, SqlValue, Statements } from '../../base/database/database.ts'
import { type Account, addressKey, demandAccountName, demandAddress } from './account.ts'

/** What accounts need. */
export type AccountPorts = { readonly database: Database; readonly audit: Audit; readonly clock: Clock }

/** Who does it, and from where, for the audit log. */
export type Actor = { readonly actor: string; readonly from: string }

/** A new account. */
export type NewAccount = {
  readonly name: string
  readonly email: string
  readonly kind: Account['kind']
  readonly administrator?: boolean
  /** Federated accounts only: who vouches, and how it calls the person. */
  readonly upstream?: { readonly issuer: string; readonly subject: string }
}

/** A row, as the database gives it. */
export type AccountRow = Readonly<Record<string, SqlValue>>

const columns = 'id, name, email, kind, administrator, created_at, disabled_at, upstream'

/** Makes an account. Throws `account_malformed`, `account_exists`, `account_address_taken` (also by a disabled account). */
export async function createAccount({ database, audit, clock }: AccountPorts, account: NewAccount, by: Actor): Promise<Account> {
  const name = demandAccountName(account.name)
  const email = demandAddress(account.email)
  const id = randomBytes(16).toString('hex')
  const createdAt = clock()
  const made = await database.transaction(async (_transaction, raw) => {
    const [sameName] = await raw.query('select id from identity_accounts where name = ?', [name])
    if (sameName !== undefined) return 'account_exists' as const
    const [sameAddress] = await raw.query('select id from identity_accounts where email_key = ?', [addressKey(email)])
    if (sameAddress !== undefined) return 'account_address_taken' as const
    await raw.insert(
      'identity_accounts',
      ['id', 'name', 'email', 'email_key', 'kind', 'administrator', 'created_at', 'upstream', 'upstream_subject'],
      [
        [
          id,
          name,
          email,
          addressKey(email),
          account.kind,
          account.administrator === true ? 1 : 0,
          createdAt,
          account.upstream?.issuer ?? null,
          account.upstream?.subject ?? null,
        ],
      ],
    )
    return undefined
  })
  if (made !== undefined) throw taken(made, name, email)
  const detail = { email, kind: account.kind, administrator: account.administrator === true }
  await audit.record({ action: 'identity.account_created', subject: name, outcome: 'done', detail, ...by })
  return {
    id,
    name,
    email,
    kind: account.kind,
    administrator: account.administrator === true,
    createdAt,
    ...(account.upstream === undefined ? {} : { upstream: account.upstream.issuer }),
  }
}

/** All accounts, by name. */
export async function listAccounts({ database }: Pick<AccountPorts, 'database'>): Promise<readonly Account[]> {
  return (await database.raw.query(`select ${columns} from identity_accounts order by name`)).map(readAccount)
}

/** An account that may be used. Throws `account_missing`, `account_disabled`. */
export async function usableAccount({ database }: Pick<AccountPorts, 'database'>, name: string): Promise<Account> {
  const account = await findAccount(database.raw, 'name', name)
  if (account === undefined) {
    throw new CountersignError('account_missing', `there is no account ${JSON.stringify(name.slice(0, 80))}`, {
      hint: 'See "countersign account list", or make it with "countersign account create".',
    })
  }
  if (account.disabledAt !== undefined) {
    throw new CountersignError(
      'account_disabled',
      `the account ${account.name} is disabled since ${new Date(account.disabledAt).toISOString()}`,
    )
  }
  return account
}

/** Looks an account up by what is unique about it. */
export async function findAccount(statements: Statements, by: 'id' | 'name' | 'email_key', value: string): Promise<Account | undefined> {
  const [row] = await statements.query(`select ${columns} from identity_accounts where ${by} = ?`, [value])
  return row === undefined ? undefined : readAccount(row)
}

/** The account that an upstream provider vouches for; `undefined` when it never logged in here. */
export async function findFederated(
  { database }: Pick<AccountPorts, 'database'>,
  issuer: string,
  subject: string,
): Promise<Account | undefined> {
  const text = `select ${columns} from identity_accounts where upstream = ? and upstream_subject = ?`
  const [row] = await database.raw.query(text, [issuer, subject])
  return row === undefined ? undefined : readAccount(row)
}

/** Disables an account, from now on, and ends its sessions and grants; what it signed stays valid. Again changes nothing. Throws `account_missing`. */
export async function disableAccount({ database, audit, clock }: AccountPorts, name: string, by: Actor): Promise<void> {
  const text = 'update identity_accounts set disabled_at = ?, epoch = epoch + 1 where name = ? and disabled_at is null'
  const changed = await database.raw.run(text, [clock(), name])
  if (changed === 0 && (await findAccount(database.raw, 'name', name)) === undefined) await usableAccount({ database }, name)
  if (changed > 0) await audit.record({ action: 'identity.account_disabled', subject: name, outcome: 'done', detail: {}, ...by })
}

function readAccount(row: AccountRow): Account {
  const { disabled_at: disabledAt, upstream } = row
  return {
    id: String(row['id']),
    name: String(row['name']),
    email: String(row['email']),
    kind: row['kind'] as Account['kind'],
    administrator: row['administrator'] === 1,
    createdAt: Number(row['created_at']),
    ...(disabledAt === null || disabledAt === undefined ? {} : { disabledAt: Number(disabledAt) }),
    ...(upstream === null || upstream === undefined ? {} : { upstream: String(upstream) }),
  }
}

function taken(code: 'account_exists' | 'account_address_taken', name: string, email: string): CountersignError {
  return code === 'account_exists'
    ? new CountersignError(code, `there is an account ${name} already`, { hint: 'Choose another name.' })
    : new CountersignError(code, `the address ${email} belongs to another account, now and for ever`, {
        hint: 'Signatures name addresses: one that changed hands would sign as somebody else. Choose another address.',
      })
}
