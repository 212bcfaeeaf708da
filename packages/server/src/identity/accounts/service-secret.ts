/** Secrets by which service accounts ask for tokens of their own (RFC 6749 §4.4). */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import type { Statements } from '../../base/database/database.ts'
import type { SecretBox } from '../../base/keys/role-key.ts'
import type { Account } from './account.ts'
import { type AccountPorts, type Actor, findAccount } from './accounts.ts'

const contextOf = (id: string): string => `identity service secret ${id}`

/** A new secret, which replaces the one before; shown once. Throws `account_malformed` for an account of a person. */
export async function renewServiceSecret(
  { database, audit, secrets }: AccountPorts & { readonly secrets: SecretBox },
  account: Account,
  by: Actor,
): Promise<string> {
  if (account.kind !== 'service') {
    throw new CountersignError('account_malformed', `${account.name} is the account of a person, who logs in`, {
      hint: 'Make an account for the program: "countersign account create NAME --service".',
    })
  }
  const secret = randomBytes(32).toString('base64url')
  const sealed = secrets.seal(contextOf(account.id), new TextEncoder().encode(secret))
  await database.raw.run('update identity_accounts set secret = ? where id = ?', [sealed, account.id])
  await audit.record({ action: 'identity.service_secret_renewed', subject: account.name, outcome: 'done', detail: {}, ...by })
  return secret
}

/** A service account that may be used, and its secret; `undefined` for any other name. */
export async function serviceCredentials(
  statements: Statements,
  secrets: SecretBox,
  name: string,
): Promise<{ readonly account: Account; readonly secret: string } | undefined> {
  const account = await findAccount(statements, 'name', name.slice(0, 64))
  if (account === undefined || account.kind !== 'service' || account.disabledAt !== undefined) return undefined
  const [row] = await statements.query('select secret from identity_accounts where id = ?', [account.id])
  const sealed = row?.['secret']
  if (!(sealed instanceof Uint8Array)) return undefined
  return { account, secret: new TextDecoder().decode(secrets.open(contextOf(account.id), sealed)) }
}
