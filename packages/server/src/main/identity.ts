/** The identity provider of a process: its first key and administrator, and its service. */
import { createPublicKey } from 'node:crypto'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Service } from '../base/http/service.ts'
import { type Account, demandAccountName, demandAddress } from '../identity/accounts/account.ts'
import { type AccountPorts, createAccount, listAccounts } from '../identity/accounts/accounts.ts'
import { createLoginLink } from '../identity/accounts/login.ts'
import type { Upstream } from '../identity/provider/upstream.ts'
import { identityService } from '../identity/service.ts'
import type { ServiceAddresses } from './addresses.ts'
import { mayHaveSigned, type TrustInstance } from '../trust/instances.ts'
import { openTrust } from '../trust/trust.ts'
import type { ServerPlatform } from './platform.ts'

/** The name of the account that the first start makes. */
export const administrator = 'admin'
const system = { actor: 'system', from: 'local' }

/** What the rooms of accounts need of a platform. */
export function accountPorts({ database, audit, clock }: ServerPlatform): AccountPorts {
  return { database, audit, clock }
}

/** The address of an account for which none was given: its name at the host of the installation. */
export function defaultAddress(name: string, { host }: ServiceAddresses): string {
  // What is wrong with the name is said of the name.
  return demandAddress(`${demandAccountName(name)}@${host.startsWith('[') ? 'localhost' : host}`)
}

/** First start: somebody must be able to log in. What is there already stays. */
export async function createFirstAdministrator(platform: ServerPlatform, addresses: ServiceAddresses): Promise<void> {
  const account = { name: administrator, email: defaultAddress(administrator, addresses), kind: 'person', administrator: true } as const
  try {
    await createAccount(accountPorts(platform), account, system)
  } catch (failure) {
    if (!(failure instanceof CountersignError) || failure.code !== 'account_exists') throw failure
  }
}

/** Names of the provider's keys: the one that signs first, then those that its tokens are verified with too, the next one among them. */
export async function providerKeyNames({
  database,
  keys,
  clock,
}: Pick<ServerPlatform, 'database' | 'keys' | 'clock'>): Promise<readonly [string, ...string[]]> {
  const now = clock()
  const all = (await openTrust({ database, keys, clock }).instances()).filter(({ role }) => role === 'oidc')
  const active = all.findLast((each) => mayHaveSigned(each, now))
  if (active === undefined) {
    throw new CountersignError('trust_damaged', 'the identity provider is not on record', { hint: 'Restore the database from a backup.' })
  }
  const others = all.filter((each) => each !== active && (each.validFor.end === undefined || each.validFor.end > now))
  return [keyOfProvider(active), ...others.map(keyOfProvider)]
}

/** The first instance is the provider itself, with its first key. */
function keyOfProvider({ id }: TrustInstance): string {
  return id === 'oidc' ? 'oidc-1' : id
}

/** `/oidc`. */
export async function composeIdentity(platform: ServerPlatform, addresses: ServiceAddresses): Promise<Service> {
  const { keys, secrets, log, environment } = platform
  return identityService({
    ...accountPorts(platform),
    secrets,
    keys,
    keyNames: () => providerKeyNames(platform),
    issuer: addresses.oidc,
    prefix: '/oidc',
    upstreams: await upstreamsOf(platform),
    environment,
    failed: (failure) => log.error({ err: failure }, 'identity provider failed'),
  })
}

async function upstreamsOf({ configuration, secretOf }: ServerPlatform): Promise<readonly Upstream[]> {
  return Promise.all(
    configuration.identity.upstreams.map(async ({ name, title, issuer, clientId, clientSecret, domains }) => ({
      name,
      title: title ?? name,
      issuer,
      clientId,
      ...(clientSecret === undefined ? {} : { clientSecret: fromUtf8(await secretOf(clientSecret)).trim() }),
      ...(domains.length === 0 ? {} : { domains }),
    })),
  )
}

/** A link that lets the administrator in once, for 15 minutes; `undefined` when that account is gone. */
export async function administratorLink(platform: ServerPlatform, addresses: ServiceAddresses): Promise<string | undefined> {
  const account = (await listAccounts(accountPorts(platform))).find(isUsableAdministrator)
  if (account === undefined) return undefined
  return `${addresses.oidc}/welcome/${await createLoginLink(accountPorts(platform), account, system)}`
}

/** The provider's public keys as JWKS (RFC 7517 §5): the authority of the same process need not ask for them over the network. */
async function ownKeySet(platform: ServerPlatform): Promise<string> {
  const names = await providerKeyNames(platform)
  const keys = await Promise.all(
    names.map(async (name) => {
      const { spki } = (await platform.keys.open(name)).publicKey
      const jwk = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' })
      return { ...jwk, kid: name, use: 'sig', alg: 'RS256' }
    }),
  )
  return JSON.stringify({ keys })
}

/** {@link ownKeySet} as often as it is asked for; keys are opened only when there are others. */
export function ownKeySets(platform: ServerPlatform): () => Promise<string> {
  let last: { readonly names: string; readonly keys: Promise<string> } | undefined
  return async () => {
    const names = (await providerKeyNames(platform)).join()
    if (last?.names !== names) last = { names, keys: ownKeySet(platform) }
    return last.keys
  }
}

function isUsableAdministrator(account: Account): boolean {
  return account.administrator && account.disabledAt === undefined && account.kind === 'person'
}
