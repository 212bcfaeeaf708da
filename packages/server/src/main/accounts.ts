/** The accounts of an installation, as the command line administers them; all of it is audited as done by the operator of this machine. */
import { CountersignError } from '@countersign/core/failure'
import type { Account } from '../identity/accounts/account.ts'
import { createAccount, disableAccount, listAccounts, usableAccount } from '../identity/accounts/accounts.ts'
import { createLoginLink, enrolOneTimePassword } from '../identity/accounts/login.ts'
import { renewServiceSecret } from '../identity/accounts/service-secret.ts'
import { issueToken } from '../identity/token.ts'
import type { OpenInstallation } from './administer.ts'
import { accountPorts, defaultAddress, providerKeyNames } from './identity.ts'

/** Who runs the command, by the name of the system account. */
export type Operator = { readonly name: string }

/** A new account, and for a service the secret by which it asks for tokens; the secret is shown once. */
export type CreatedAccount = { readonly account: Account; readonly secret?: string; readonly link?: string }

const by = ({ name }: Operator): { readonly actor: string; readonly from: string } => ({ actor: `operator ${name}`, from: 'local' })

/** Makes an account: of a person with a link that sets the password, of a service with a secret. */
export async function addAccount(
  { platform, addresses }: OpenInstallation,
  account: { readonly name: string; readonly email?: string; readonly service: boolean; readonly administrator: boolean },
  operator: Operator,
): Promise<CreatedAccount> {
  const ports = accountPorts(platform)
  if (account.service && account.administrator) {
    throw new CountersignError('usage', 'a program cannot be administrator', { hint: 'Leave out --service or --administrator.' })
  }
  const made = await createAccount(
    ports,
    {
      name: account.name,
      email: account.email ?? defaultAddress(account.name, addresses),
      kind: account.service ? 'service' : 'person',
      administrator: account.administrator,
    },
    by(operator),
  )
  if (account.service)
    return { account: made, secret: await renewServiceSecret({ ...ports, secrets: platform.secrets }, made, by(operator)) }
  return { account: made, link: `${addresses.oidc}/welcome/${await createLoginLink(ports, made, by(operator))}` }
}

/** All accounts. */
export function allAccounts({ platform }: OpenInstallation): Promise<readonly Account[]> {
  return listAccounts(accountPorts(platform))
}

/** Disables an account. */
export async function endAccount({ platform }: OpenInstallation, name: string, operator: Operator): Promise<void> {
  await disableAccount(accountPorts(platform), name, by(operator))
}

/** A link that lets the account in once, to set a password, for 15 minutes. */
export async function accountLink({ platform, addresses }: OpenInstallation, name: string, operator: Operator): Promise<string> {
  const ports = accountPorts(platform)
  return `${addresses.oidc}/welcome/${await createLoginLink(ports, await usableAccount(ports, name), by(operator))}`
}

/** A new secret of a service account, which ends the one before. */
export async function accountSecret({ platform }: OpenInstallation, name: string, operator: Operator): Promise<string> {
  const ports = { ...accountPorts(platform), secrets: platform.secrets }
  return renewServiceSecret(ports, await usableAccount(ports, name), by(operator))
}

/** What an authenticator reads (otpauth URI): from now on the account logs in with one-time passwords too. The one before ends. */
export async function accountOneTimePassword({ platform, addresses }: OpenInstallation, name: string, operator: Operator): Promise<string> {
  const ports = { ...accountPorts(platform), secrets: platform.secrets }
  return enrolOneTimePassword(ports, await usableAccount(ports, name), addresses.host, by(operator))
}

/** An identity token for signing as the account. */
export async function accountToken({ platform, addresses }: OpenInstallation, name: string, operator: Operator): Promise<string> {
  const ports = accountPorts(platform)
  const account = await usableAccount(ports, name)
  const [keyName] = await providerKeyNames(platform)
  const key = await platform.keys.open(keyName)
  return issueToken({ issuer: addresses.oidc, key, clock: platform.clock, audit: platform.audit }, account, by(operator))
}
