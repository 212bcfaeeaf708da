/** The only file that knows every room, with those beside it: makes the services of a process from its platform, and wires what one needs of another. */
import type { Expiry } from '@countersign/core/expiry/expiry'
import type { Role } from '../base/config/process.ts'
import type { Service } from '../base/http/service.ts'
import { tlsExpiry, tlsExpiryService } from '../base/http/tls-expiry.ts'
import { trustExpiries } from '../trust/expiring.ts'
import type { TrustInstance } from '../trust/instances.ts'
import { startRenewal } from '../trust/renewal.ts'
import { renewRepository } from '../trust/repository/repository.ts'
import { hexDigest, lastSignedMs, readState } from '../trust/repository/state.ts'
import { kitService } from '../trust/kit/service.ts'
import { tufService } from '../trust/service.ts'
import { openTrust, type Trust } from '../trust/trust.ts'
import { type ServiceAddresses, serviceAddresses } from './addresses.ts'
import { composeFulcio, composeTimestamps, createFirstAuthority, createFirstTimestampChain, ownChains } from './authorities.ts'
import { administrator, administratorLink, composeIdentity, createFirstAdministrator } from './identity.ts'
import { certificateLogOf, composeCt, composeLogs, createLog, createRekor1, ctPlace, openCtLogs, rekor2Place } from './logs.ts'
import type { FirstStartStep, ServerPlatform } from './platform.ts'
import { composeWitness } from './witnesses.ts'

/** What a process serves, and what it tells those who start it. */
export type Composition = {
  readonly services: readonly Service[]
  /** Addresses that clients are told of, by the name of their service. */
  readonly addresses: Readonly<Record<string, string>>
  /** What a person types next, with the public URL in it. */
  readonly commands: readonly string[]
  /** What only a person at a terminal may see. */
  readonly forTerminal: () => Promise<readonly string[]>
}

/** Makes what the first start makes for each room: keys, roots, logs, trust. Each part only where it is not there yet, so that it can be repeated. */
export async function composeFirstStart(platform: ServerPlatform, step: FirstStartStep): Promise<void> {
  const { keys, installation, clock, audit } = platform
  const addresses = serviceAddresses(installation.publicUrl)
  await step('first-start-6-logs')
  const rekor2 = await keys.create('rekor2-1', 'ed25519')
  await createLog(platform, await rekor2Place(rekor2, addresses))
  const rekor1 = await keys.create('rekor1-1', 'ec-p256')
  await createRekor1(platform, rekor1, addresses)
  const ct = await keys.create('ct-1', 'ec-p256')
  await createLog(platform, ctPlace(ct, addresses))
  await step('first-start-7-authorities')
  const authority = await createFirstAuthority(platform, addresses)
  const tsa = await keys.create('tsa-1', 'ec-p256')
  await keys.create('oidc-1', 'rsa-2048')
  await createFirstAdministrator(platform, addresses)
  // Before any certificate and log entry: what they say must lie within.
  const validFor = { start: Math.floor(installation.createdAt / 1000) * 1000 }
  const each = { operator: addresses.host, validFor }
  const instances: TrustInstance[] = [
    { ...each, id: authority.name, role: 'ca', url: addresses.fulcio, anchor: { kind: 'chain', certificates: authority.chain } },
    { ...each, id: ct.name, role: 'ct', url: addresses.ct, anchor: { kind: 'key', publicKey: ct.publicKey } },
    { ...each, id: rekor1.name, role: 'rekor1', url: addresses.rekor, anchor: { kind: 'key', publicKey: rekor1.publicKey } },
    { ...each, id: 'oidc', role: 'oidc', url: addresses.oidc, anchor: { kind: 'none' } },
    { ...each, id: rekor2.name, role: 'rekor2', url: addresses.rekor2, anchor: { kind: 'key', publicKey: rekor2.publicKey } },
    {
      ...each,
      id: tsa.name,
      role: 'tsa',
      url: addresses.tsa,
      anchor: { kind: 'chain', certificates: await createFirstTimestampChain(platform, addresses, tsa) },
    },
  ]
  await step('first-start-8-trust')
  await openTrust({ database: platform.database, keys, clock }).begin(instances)
  const subject = installation.publicUrl
  await audit.record({
    action: 'main.first_start',
    actor: 'system',
    subject,
    from: 'local',
    outcome: 'done',
    detail: { id: installation.id },
  })
}

/** Opens the services of the roles that the configuration names. Throws when a key, root or log that should be there is not. */
export async function compose(platform: ServerPlatform): Promise<Composition> {
  const { installation, database, keys, clock } = platform
  const addresses = serviceAddresses(installation.publicUrl)
  const trust = openTrust({ database, keys, clock })
  const parts = { platform, addresses, trust }
  const services: Service[] = []
  try {
    const { tls } = platform.configuration
    if (tls !== undefined) services.push(tlsExpiryService(tls, clock, platform.log))
    for (const role of platform.configuration.roles) services.push(...(await makers[role](parts)))
  } catch (failure) {
    for (const service of services.toReversed()) await service.close?.()
    throw failure
  }
  const forTerminal = async (): Promise<readonly string[]> => {
    const link = services.some(({ name }) => name === 'oidc') ? await administratorLink(platform, addresses) : undefined
    if (link === undefined) return []
    return ['', `To set the password of the administrator (${administrator}), and log in: once, and within 15 minutes:`, `  ${link}`]
  }
  const commands = commandsFor(services, addresses, await rootChecksum(database))
  return { services, addresses: told(addresses, services), commands, forTerminal }
}

type Parts = {
  readonly platform: ServerPlatform
  readonly addresses: ServiceAddresses
  readonly trust: Trust
}

/** The services of each role. */
const makers: { readonly [R in Role]: (parts: Parts) => Promise<readonly Service[]> } = {
  ca: async ({ platform, addresses, trust }) => {
    const ct = await openCtLogs(platform, trust, addresses)
    const chains = ownChains(platform)
    const roots = async (): Promise<readonly Uint8Array[]> => (await chains()).flatMap((chain) => chain.slice(-1))
    return [...composeCt(ct, roots), await composeFulcio(platform, addresses, certificateLogOf(ct))]
  },
  log: async ({ platform, addresses, trust }) => {
    const logs = await composeLogs(platform, trust, addresses, ownChains(platform))
    return [...logs, ...(await composeWitness(platform, addresses))]
  },
  tsa: async ({ platform, trust }) => [await composeTimestamps(platform, trust, await lastSignedMs(platform.database))],
  trust: async ({ platform, trust }) => {
    const { database, keys, clock, leases, log } = platform
    const expiries = async (): ReturnType<typeof trustExpiries> => trustExpiries({ database, keys }, await trust.instances())
    const renew = (): ReturnType<typeof renewRepository> => renewRepository({ database, keys, clock })
    const renewal = startRenewal({ clock, leases, renew, publish: trust.publish, expiries, log })
    const { publicUrl } = platform.installation
    const { tls } = platform.configuration
    const all = async (): Promise<readonly Expiry[]> => [...(await expiries()), ...(tls === undefined ? [] : [await tlsExpiry(tls)])]
    return [
      tufService({ database, clock, expiries, renewalFailures: renewal.failures, close: renewal.stop }),
      kitService({ database, trust, expiries: all, clock, publicUrl }),
    ]
  },
  identity: async ({ platform, addresses }) => [await composeIdentity(platform, addresses)],
}

function told(addresses: ServiceAddresses, services: readonly Service[]): Readonly<Record<string, string>> {
  const { host: _host, ...all } = addresses
  return Object.fromEntries(Object.entries(all).filter(([name]) => services.some((service) => service.name === name)))
}

/** SHA-256 of the root that clients begin with, hex; `undefined` before there is one. */
async function rootChecksum(database: ServerPlatform['database']): Promise<string | undefined> {
  const state = await readState(database)
  return state === undefined ? undefined : hexDigest(state.published.root.bytes)
}

/** One line each for those who sign: with the whole platform here, nothing else is to be said. */
function commandsFor(services: readonly Service[], { tuf, kit, oidc }: ServiceAddresses, checksum: string | undefined): readonly string[] {
  if (!services.some(({ name }) => name === 'tuf')) return []
  const begin = `--mirror ${tuf} --root ${kit}/root.json${checksum === undefined ? '' : ` --root-checksum ${checksum}`}`
  const people = [
    '',
    'An account for each person who signs (the link that it prints sets the password):',
    '  countersign account create NAME --email ADDRESS',
  ]
  return [
    ...(services.some(({ name }) => name === 'oidc') ? people : []),
    '',
    `Once for each client (all of this is also at ${kit}):`,
    `  countersign initialize ${begin}`,
    `  cosign initialize ${begin}`,
    `  countersign kit --url ${tuf.slice(0, -'/tuf'.length)} kit && . kit/env.sh    # gitsign`,
    '',
    'Then "countersign sign IMAGE" signs as whoever logs in, and this verifies it:',
    `  countersign verify --certificate-identity ADDRESS --certificate-oidc-issuer ${oidc} IMAGE`,
  ]
}
