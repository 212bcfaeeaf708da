/** Lets people in: password and one-time password, or a link that works once. Attempts are bounded per account and per address. */
import { createHash, randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { Statements } from '../../base/database/database.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'
import type { Account } from './account.ts'
import { type AccountPorts, type Actor, findAccount } from './accounts.ts'
import { type DeviceCookies, knownDevice } from './known-device.ts'
import { authenticatorUri, newSeed, stepOfCode } from './one-time-password.ts'
import { hashPassword, isPassword } from './password.ts'

/** What logging in needs. */
export type LoginPorts = AccountPorts & { readonly secrets: SecretBox; readonly attempts: Attempts }

/** Who tries: as whom, from which network address, and on which device that the account is known to have. */
export type Attempt = { readonly name: string; readonly from: string; readonly device: string | undefined }

/** Counts failures; see `attempts.ts`. */
export type Attempts = {
  /** Throws `login_refused` when there were too many lately. */
  readonly demandLeft: (attempt: Attempt) => void
  readonly failed: (attempt: Attempt) => void
  readonly succeeded: (attempt: Attempt) => void
  /** Does the work when it is its turn; few are at work at once. Throws `login_refused` when too many wait already. */
  readonly inTurn: <T>(attempt: Attempt, work: () => Promise<T>) => Promise<T>
}

/** What a person types. */
export type Credentials = { readonly name: string; readonly password: string; readonly code?: string }

const linkMs = 15 * 60_000
const seedContext = (id: string): string => `identity totp ${id}`

/**
 * The account of whoever knows its password, and its one-time password where one is set. Throws `login_refused`, always with the same words:
 * what exactly was wrong is for the audit log alone. `cookies` are those by which the device may be known.
 */
export async function loginByPassword(
  ports: LoginPorts,
  credentials: Credentials,
  from: string,
  cookies: DeviceCookies = new Map(),
): Promise<Account> {
  // Hostile: a NUL, which no database stores, would fail otherwise than a wrong name.
  const name = credentials.name.slice(0, 64).replaceAll('\0', '\ufffd')
  const attempt = { name, from, device: await knownDevice(ports, name, cookies) }
  ports.attempts.demandLeft(attempt)
  return ports.attempts.inTurn(attempt, () => checkPassword(ports, credentials, attempt))
}

async function checkPassword(ports: LoginPorts, credentials: Credentials, attempt: Attempt): Promise<Account> {
  const { database, audit, attempts, clock } = ports
  const { name, from } = attempt
  // Hostile: guesses that were sent all at once. Those before may have failed while this one waited.
  attempts.demandLeft(attempt)
  const text = 'select id, password, totp from identity_accounts where name = ?'
  const [row] = await database.raw.query(text, [name])
  const isRight = await isPassword(typeof row?.['password'] === 'string' ? row['password'] : undefined, credentials.password)
  // Looking takes a while, in which another password may have been set.
  const [now] = await database.raw.query(text, [name])
  const known = isRight && now?.['password'] === row?.['password']
  const account = row === undefined ? undefined : await findAccount(database.raw, 'id', String(row['id']))
  const reason = !known ? 'password' : await refusal(ports, account, row?.['totp'], credentials.code ?? '', clock())
  if (account !== undefined && reason === undefined) {
    attempts.succeeded(attempt)
    await audit.record({ action: 'identity.login', actor: name, subject: name, from, outcome: 'done', detail: { by: 'password' } })
    return account
  }
  attempts.failed(attempt)
  const detail = { by: 'password', reason: reason ?? 'account' }
  await audit.record({ action: 'identity.login', actor: 'unknown', subject: name, from, outcome: 'refused', detail })
  throw refused()
}

async function refusal(
  ports: LoginPorts,
  account: Account | undefined,
  sealed: unknown,
  code: string,
  nowMs: number,
): Promise<string | undefined> {
  if (account === undefined) return 'account'
  if (account.disabledAt !== undefined) return 'disabled'
  if (account.kind === 'federated') return 'federated'
  if (!(sealed instanceof Uint8Array)) return undefined
  const step = stepOfCode(ports.secrets.open(seedContext(account.id), sealed), code, nowMs)
  if (step === undefined) return 'one-time password'
  // Taken by whoever is first: a code works once.
  const text = 'update identity_accounts set totp_step = ? where id = ? and (totp_step is null or totp_step < ?)'
  return (await ports.database.raw.run(text, [step, account.id, step])) === 1 ? undefined : 'one-time password used'
}

/** Sets a password, which ends sessions, grants and open links of the account. Throws `account_malformed` for one that is too short. */
export async function setPassword({ database, audit }: AccountPorts, account: Account, password: string, by: Actor): Promise<void> {
  // Hostile: whoever made a new password necessary may be logged in. What was given out before belongs to another epoch, also when it is written again.
  const text = 'update identity_accounts set password = ?, epoch = epoch + 1 where id = ?'
  await database.raw.run(text, [await hashPassword(password), account.id])
  // Hostile: a link that somebody else got hold of would set the password once more.
  await database.raw.run('delete from identity_links where account = ? and used_at is null', [account.id])
  await audit.record({ action: 'identity.password_set', subject: account.name, outcome: 'done', detail: {}, ...by })
}

/**
 * Demands one-time passwords from now on, also of those who are logged in; gives what an authenticator reads. Throws `account_malformed` for an
 * account that logs in by other means.
 */
export async function enrolOneTimePassword(
  { database, audit, secrets }: AccountPorts & Pick<LoginPorts, 'secrets'>,
  account: Account,
  issuer: string,
  by: Actor,
): Promise<string> {
  if (account.kind !== 'person') {
    throw new CountersignError('account_malformed', `${account.name} does not log in with a password here`, {
      hint: 'One-time passwords are for accounts of persons: "countersign account list" says which these are.',
    })
  }
  const seed = newSeed()
  const sealed = secrets.seal(seedContext(account.id), seed)
  await database.raw.run('update identity_accounts set totp = ?, totp_step = null, epoch = epoch + 1 where id = ?', [sealed, account.id])
  await audit.record({ action: 'identity.one_time_password_set', subject: account.name, outcome: 'done', detail: {}, ...by })
  return authenticatorUri(issuer, account.name, seed)
}

/** A secret that lets the account in once, for 15 minutes. Only its hash is kept. */
export async function createLoginLink({ database, audit, clock }: AccountPorts, account: Account, by: Actor): Promise<string> {
  const secret = randomBytes(32).toString('base64url')
  await database.raw.insert('identity_links', ['hash', 'account', 'expires_at'], [[hashOf(secret), account.id, clock() + linkMs]])
  await audit.record({ action: 'identity.login_link_created', subject: account.name, outcome: 'done', detail: {}, ...by })
  return secret
}

/** Whom a link would let in, which stays as it is; `undefined` for one that was used, ended or never was. */
export async function accountOfLink({ database, clock }: AccountPorts, secret: string): Promise<Account | undefined> {
  const text = 'select account from identity_links where hash = ? and used_at is null and expires_at > ?'
  const [row] = await database.raw.query(text, [hashOf(secret), clock()])
  const account = row === undefined ? undefined : await findAccount(database.raw, 'id', String(row['account']))
  return account?.disabledAt === undefined ? account : undefined
}

/** The account of a link, which is spent by this. Throws `login_link_spent` for one that was used, ended or never was. */
export async function loginByLink({ database, audit, clock }: AccountPorts, secret: string, from: string): Promise<Account> {
  const text = 'update identity_links set used_at = ? where hash = ? and used_at is null and expires_at > ?'
  const hash = hashOf(secret)
  const spent = await database.raw.run(text, [clock(), hash, clock()])
  const [row] = spent === 1 ? await database.raw.query('select account from identity_links where hash = ?', [hash]) : []
  const account = row === undefined ? undefined : await findAccount(database.raw, 'id', String(row['account']))
  const subject = account?.name ?? 'unknown'
  const usable = account !== undefined && account.disabledAt === undefined
  await audit.record({
    action: 'identity.login',
    actor: subject,
    subject,
    from,
    outcome: usable ? 'done' : 'refused',
    detail: { by: 'link' },
  })
  if (usable) return account
  throw new CountersignError('login_link_spent', 'this link was used, has ended, or is none', {
    hint: 'Make another one with "countersign account link NAME".',
  })
}

/** Removes links that have ended, used or not. To be called now and then. */
export async function sweepLoginLinks(statements: Statements, clock: Clock): Promise<number> {
  return statements.run('delete from identity_links where expires_at <= ?', [clock()])
}

function hashOf(secret: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest())
}

function refused(): CountersignError {
  return new CountersignError('login_refused', 'name, password or one-time password is wrong')
}
