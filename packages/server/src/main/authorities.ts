/** The certificate and the timestamp authority of a process: their first keys and certificates, and their services. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { CountersignError } from '@countersign/core/failure'
import { decodePem } from '@countersign/core/pem'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import type { Service } from '../base/http/service.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import { readChain } from '../ca/authority/chain.ts'
import { type AuthorityWorkshop, createIntermediate, createRoot } from '../ca/authority/create.ts'
import { type Authorities, openAuthorities } from '../ca/authority/issuing.ts'
import { authorityTable } from '../ca/authority/tables.ts'
import { fulcioService } from '../ca/fulcio/service.ts'
import type { Issuer } from '../ca/issuers/model.ts'
import type { CertificateLog } from '../ca/ports.ts'
import { documentFetcher } from '../ca/tokens/documents.ts'
import { issuerKeys } from '../ca/tokens/issuer-keys.ts'
import { type TokenVerifier, tokenVerifier } from '../ca/tokens/verify-token.ts'
import { findAccount } from '../identity/accounts/accounts.ts'
import { createTimestampAuthority } from '../tsa/authority.ts'
import { createTimestampCertificate, createTimestampRoot } from '../tsa/certificates.ts'
import { createClockWatch } from '../tsa/clock/clock-watch.ts'
import { followConfirmations } from '../tsa/clock/confirmations.ts'
import { sntpSource } from '../tsa/clock/sntp.ts'
import { timestampService } from '../tsa/service.ts'
import type { Trust } from '../trust/trust.ts'
import type { ServiceAddresses } from './addresses.ts'
import { ownKeySets } from './identity.ts'
import { activatePlanned } from './intermediates.ts'
import type { ServerPlatform } from './platform.ts'
import { liveInstances } from './shards.ts'

const clockPollMs = 60_000
const confirmationPollMs = 2_000

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

function workshopOf({ database, keys, clock }: ServerPlatform, { host }: ServiceAddresses): AuthorityWorkshop {
  return { table: authorityTable(database, clock), keys, now: clock, random, organization: host }
}

/** First start: a root, and below it the intermediate that issues; gives its name and chain, DER. What is there already stays. */
export async function createFirstAuthority(
  platform: ServerPlatform,
  addresses: ServiceAddresses,
): Promise<{ readonly name: string; readonly chain: readonly Uint8Array[] }> {
  const workshop = workshopOf(platform, addresses)
  const known = await workshop.table.list()
  if (!known.some(({ role }) => role === 'root')) await createRoot(workshop)
  const made =
    known.find(({ role }) => role === 'intermediate') ?? (await createIntermediate(workshop, await platform.keys.open('ca-root')))
  await workshop.table.activate(made.name)
  return { name: made.name, chain: readChain(made.chain) }
}

/** First start: the chain of the timestamp authority, DER, for a key that stamps. */
export async function createFirstTimestampChain(
  { keys, clock }: ServerPlatform,
  { host }: ServiceAddresses,
  key: RoleKey,
): Promise<readonly Uint8Array[]> {
  const root = await keys.create('tsa-root', 'ec-p384')
  const names = (commonName: string): Parameters<typeof createTimestampRoot>[1] => ({ organization: host, commonName, nowMs: clock() })
  const certificate = await createTimestampRoot(root, names(`${host} Timestamp Root`))
  return [await createTimestampCertificate(key, names(`${host} Timestamps`), { certificate, key: root }), certificate]
}

/** The authorities on record. */
function authoritiesOf({ database, keys, clock }: ServerPlatform): Authorities {
  return openAuthorities({ table: authorityTable(database, clock), keys, now: clock })
}

/** The chains of all authorities on record, DER, the issuing certificate first. */
export function ownChains(platform: ServerPlatform): () => Promise<readonly (readonly Uint8Array[])[]> {
  const authorities = authoritiesOf(platform)
  return async () => {
    const bundle = await authorities.bundle()
    return bundle.map((chain) => chain.flatMap((pem) => decodePem(pem, 'CERTIFICATE').map(({ bytes }) => bytes)))
  }
}

const keyPollMs = 2_000

/** `/fulcio`, which publishes in `log`. */
export async function composeFulcio(platform: ServerPlatform, addresses: ServiceAddresses, log: CertificateLog): Promise<Service> {
  const { clock, audit, configuration, environment } = platform
  // As they are now: the command line may rotate them.
  const ownKeys = ownKeySets(platform)
  const { exact, meta } = configuration.ca.issuers
  const own = (keys: string): readonly [string, Issuer] => [addresses.oidc, ownIssuer(addresses.oidc, keys)]
  // Hostile: who keeps our identity provider switched off has other keys of it somewhere. Where it runs elsewhere, the configuration names it.
  const isOurs = configuration.roles.includes('identity') && !exact.has(addresses.oidc)
  const known = new Map([...(isOurs ? [own(await ownKeys())] : []), ...exact])
  const look = async (): Promise<void> => {
    const keys = await ownKeys()
    if (isOurs && known.get(addresses.oidc)?.staticKeys !== keys) known.set(...own(keys))
    const activated = await activatePlanned(platform)
    if (activated !== undefined) platform.log.info({ instance: activated }, 'issues from now on, as planned')
  }
  const failed = (failure: unknown): void =>
    platform.log.error({ err: failure }, 'keys of the provider, or planned intermediates, not read')
  const timer = setInterval(() => void look().catch(failed), keyPollMs)
  timer.unref()
  const issuers = { exact: known, meta }
  const { fetch, close } = documentFetcher({ environment, serviceAccount: configuration.ca.serviceAccount })
  const verifyToken = tokenVerifier({ issuers, keys: issuerKeys({ fetch, now: clock }), primitives: serverPrimitives, now: clock })
  const verifyUsable: TokenVerifier = async (token) => {
    const verified = await verifyToken(token)
    if (isOurs && verified.issuer.url === addresses.oidc) await demandUsableAccount(platform, verified.claims['sub'])
    return verified
  }
  return {
    ...fulcioService({ authorities: authoritiesOf(platform), log, now: clock, random, issuers, verifyToken: verifyUsable, audit }),
    close: async () => {
      clearInterval(timer)
      await close()
    },
  }
}

/** Hostile: who has a token of an account that was disabled a moment ago; it would do for ten minutes. */
async function demandUsableAccount({ database }: ServerPlatform, id: unknown): Promise<void> {
  const account = typeof id === 'string' ? await findAccount(database.raw, 'id', id) : undefined
  if (account === undefined || account.disabledAt !== undefined)
    throw new CountersignError('account_disabled', 'the account of this token is disabled')
}

/** Our own identity provider vouches for addresses that it has verified. */
function ownIssuer(url: string, staticKeys: string): Issuer {
  return {
    url,
    audience: 'sigstore',
    kind: {
      type: 'email',
      issuerClaim: ['federated_claims', 'connector_id'],
      issuerClaimMayBeAbsent: true,
      skipEmailVerification: false,
    },
    challengeClaim: undefined,
    caCertificates: undefined,
    staticKeys,
    from: 'configuration',
  }
}

/** `/tsa`. `notBeforeMs`: when something was signed here last; a clock that is before that was set back. */
export async function composeTimestamps(platform: ServerPlatform, trust: Trust, notBeforeMs: number): Promise<Service> {
  const { configuration, clock, keys } = platform
  const monotonic = (): number => performance.now()
  const sources = configuration.tsa.clockSources.map((text) => {
    const [, host = text, port] = /^(.*?)(?::([0-9]{1,5}))?$/.exec(text) ?? []
    return sntpSource({ host, wall: clock, monotonic, ...(port === undefined ? {} : { port: Number(port) }) })
  })
  const watch = createClockWatch({ wall: clock, monotonic, sources, notBeforeMs })
  void watch.poll()
  const timer = setInterval(() => void watch.poll(), clockPollMs)
  timer.unref()
  const follow = followConfirmations(platform.database, hostname(), clock, watch.confirm)
  await follow()
  const looked = (): Promise<void> => follow().catch((err: unknown) => platform.log.warn({ err }, 'clock confirmations'))
  const looking = setInterval(() => void looked(), confirmationPollMs)
  looking.unref()
  const live = await liveInstances({
    platform,
    trust,
    role: 'tsa',
    clock,
    keepOld: false,
    open: async ({ id, anchor }) => {
      if (anchor.kind !== 'chain') throw new CountersignError('trust_damaged', `${id} has no certificates on record`)
      return createTimestampAuthority({ key: await keys.open(id), chain: anchor.certificates, clock: watch.check })
    },
  })
  const close = async (): Promise<void> => {
    clearInterval(timer)
    clearInterval(looking)
    await live.close()
  }
  return { ...timestampService({ authority: live.active, clock: watch.check }), close }
}
