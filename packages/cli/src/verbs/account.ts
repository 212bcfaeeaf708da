/** `countersign account …` and `countersign token`. */
import { userInfo } from 'node:os'
import type { JsonObject } from '@countersign/core/json/parse'
import type * as accountsModule from '@countersign/server/main/accounts'
import type { OpenInstallation } from '@countersign/server/main/administer'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { demandServices, installationRequest } from './services-door.ts'

type Accounts = typeof accountsModule

/** Makes an account. */
export function accountCreate(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const name = nameOf(invocation)
  const email = flags.text('email')
  const wanted = {
    name,
    service: flags.boolean('service', false),
    administrator: flags.boolean('administrator', false),
    ...(email === undefined ? {} : { email }),
  }
  return withAccounts(invocation, async (accounts, installation) => {
    const { account, secret, link } = await accounts.addAccount(installation, wanted, operator())
    terminal.err(`Made the ${account.kind === 'service' ? 'service account' : 'account'} ${account.name} (${account.email})\n`)
    if (secret !== undefined) terminal.err('Its secret, shown once; it asks for tokens as OAuth client with it:\n')
    if (link !== undefined) terminal.err('Its owner sets a password here, once and within 15 minutes:\n')
    terminal.out(`${secret ?? link ?? ''}\n`)
    return concluded(name, { name: account.name, email: account.email, kind: account.kind })
  })
}

/** Lists accounts. */
export function accountList(invocation: Invocation): Promise<Conclusion> {
  return withAccounts(invocation, async (accounts, installation) => {
    const all = await accounts.allAccounts(installation)
    const rows = all.map(({ name, email, kind, administrator, disabledAt }) => {
      const state = disabledAt === undefined ? (administrator ? 'administrator' : '') : `disabled ${new Date(disabledAt).toISOString()}`
      return `${name.padEnd(24)} ${email.padEnd(36)} ${kind.padEnd(10)} ${state}`.trimEnd()
    })
    invocation.terminal.out(rows.map((row) => `${row}\n`).join(''))
    return concluded('accounts', { accounts: all })
  })
}

/** Disables an account. */
export function accountDisable(invocation: Invocation): Promise<Conclusion> {
  const name = nameOf(invocation)
  return withAccounts(invocation, async (accounts, installation) => {
    await accounts.endAccount(installation, name, operator())
    invocation.terminal.err(`The account ${name} is disabled; what it signed stays valid\n`)
    return concluded(name, { name, disabled: true })
  })
}

/** Prints a login link. */
export function accountLink(invocation: Invocation): Promise<Conclusion> {
  return printed(invocation, (accounts, installation, name) => accounts.accountLink(installation, name, operator()))
}

/** Prints a new secret. */
export function accountSecret(invocation: Invocation): Promise<Conclusion> {
  return printed(invocation, (accounts, installation, name) => accounts.accountSecret(installation, name, operator()))
}

/** Prints what an authenticator reads. */
export function accountTotp(invocation: Invocation): Promise<Conclusion> {
  return printed(invocation, async (accounts, installation, name) => {
    const uri = await accounts.accountOneTimePassword(installation, name, operator())
    invocation.terminal.err(`From now on ${name} logs in with a one-time password too. For the authenticator, shown once:\n`)
    return uri
  })
}

/** Prints an identity token. */
export function token(invocation: Invocation): Promise<Conclusion> {
  return printed(invocation, (accounts, installation, name) => accounts.accountToken(installation, name, operator()))
}

/** What is secret goes to stdout and into no report. */
function printed(
  invocation: Invocation,
  make: (accounts: Accounts, installation: OpenInstallation, name: string) => Promise<string>,
): Promise<Conclusion> {
  const name = nameOf(invocation)
  return withAccounts(invocation, async (accounts, installation) => {
    invocation.terminal.out(`${await make(accounts, installation, name)}\n`)
    return concluded(name, { name })
  })
}

async function withAccounts(
  invocation: Invocation,
  work: (accounts: Accounts, installation: OpenInstallation) => Promise<Conclusion>,
): Promise<Conclusion> {
  await demandServices()
  const [{ administer }, accounts] = await Promise.all([
    import('@countersign/server/main/administer'),
    import('@countersign/server/main/accounts'),
  ])
  return administer(installationRequest(invocation), 'none', (installation) => work(accounts, installation))
}

function operator(): { readonly name: string } {
  return { name: userInfo().username }
}

function nameOf({ subjects }: Invocation): string {
  return subjects[0] ?? ''
}

function concluded(subject: string, content: JsonObject): Conclusion {
  return { subjects: [{ subject, ok: true, content }] }
}
