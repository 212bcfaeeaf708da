/** What a server will be, decided before anything is touched: from what was typed, the document, and what the data folder says. */
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../base/clock.ts'
import type { ConfigurationSetting } from '../base/config/document.ts'
import { describePassphraseSource, type PassphraseAccess, passphraseFile, typedPassphraseSource } from '../base/config/passphrase.ts'
import { formatSecretReference, resolveSecret, type SecretReference } from '../base/config/reference.ts'
import { type Role, roles } from '../base/config/process.ts'
import { exposuresOf, exposureWarning } from '../base/data-folder/exposure.ts'
import { inspectFolder, type Installation } from '../base/data-folder/installation.ts'
import { expiryWarnings } from '../base/expiry.ts'
import { tlsExpiry } from '../base/http/tls-expiry.ts'
import { formatListenAddress, hostOf, isLoopback, type ListenAddress, parseListenAddress, parsePublicUrl } from '../base/http/address.ts'
import { freePort, whyNotListening } from '../base/http/free-port.ts'
import type { LogTarget } from '../base/http/log.ts'
import { type HttpOptions, httpPort, listenFailure } from '../base/http/server.ts'
import { type Configuration, loadConfiguration, type LoadedConfiguration } from './configuration.ts'
import type { PlatformOptions } from './platform.ts'

/** What was typed, and the world of the process. */
export type ServeRequest = {
  readonly data?: string
  readonly config?: string
  readonly listen?: string
  readonly publicUrl?: string
  readonly roles?: readonly string[]
  readonly passphrase?: string
  /** False: an absent or empty folder is an error (`--no-create`). */
  readonly firstStart?: boolean
  readonly access: PassphraseAccess
  readonly workingFolder: string
  readonly clock: Clock
  readonly log: { readonly write: (line: string) => void; readonly isTerminal: boolean }
  readonly step?: PlatformOptions['step']
}

/** The port when nobody says another. */
const defaultListen: ListenAddress = { host: '127.0.0.1', port: 8460 }

/** Everything that is decided before anything is touched. */
export type ServingPlan = LoadedConfiguration & {
  readonly listen: ListenAddress
  readonly tls: Configuration['tls']
  readonly log: LogTarget
  readonly state: 'empty' | 'begun' | 'complete'
  readonly first: Pick<Installation, 'publicUrl' | 'listen'> | undefined
}

/** Decides. Throws for what cannot be: `config_malformed`, `usage`, `data_folder_*`. */
export async function planServing(request: ServeRequest): Promise<ServingPlan> {
  const loaded = await loadConfiguration({
    file: request.config,
    data: request.data,
    environment: request.access.environment,
    workingFolder: request.workingFolder,
  })
  const configuration = withTyped(loaded.configuration, request)
  const state = await inspectFolder(loaded.data)
  const known = state.kind === 'empty' ? undefined : state.installation
  const listen = await choosePort(configuration, known)
  const scheme = configuration.tls === undefined ? 'http' : 'https'
  const publicUrl = configuration.publicUrl ?? known?.publicUrl ?? defaultPublicUrl(scheme, listen)
  const { level, format } = configuration.logging
  const text = format === 'text' || (format === 'auto' && request.log.isTerminal)
  return {
    ...loaded,
    configuration,
    listen,
    tls: configuration.tls,
    log: { level, format: text ? 'text' : 'json', write: request.log.write },
    state: state.kind,
    first: configuration.firstStart || state.kind === 'complete' ? { publicUrl, listen: formatListenAddress(listen) } : undefined,
  }
}

/** What was typed wins. */
function withTyped(configuration: Configuration, request: ServeRequest): Configuration {
  const { listen, publicUrl, passphrase } = request
  return {
    ...configuration,
    listen: listen === undefined ? configuration.listen : typedListen(listen),
    publicUrl: publicUrl === undefined ? configuration.publicUrl : parsePublicUrl(publicUrl),
    firstStart: configuration.firstStart && request.firstStart !== false,
    roles: request.roles === undefined ? configuration.roles : typedRoles(request.roles),
    keys: passphrase === undefined ? configuration.keys : { ...configuration.keys, passphrase: typedPassphraseSource(passphrase) },
  }
}

function typedListen(text: string): ListenAddress {
  const address = parseListenAddress(text)
  if (address !== undefined) return address
  throw new CountersignError('usage', `${JSON.stringify(text.slice(0, 100))} is no address to listen on`, {
    expected: 'HOST:PORT, as 127.0.0.1:8460 or [::1]:8460',
  })
}

function typedRoles(names: readonly string[]): readonly Role[] {
  return names.map((name) => {
    const role = roles.find((known) => known === name)
    if (role !== undefined) return role
    throw new CountersignError('usage', `there is no role ${JSON.stringify(name.slice(0, 40))}`, { expected: roles.join(', ') })
  })
}

/** Port 0 is chosen once, at the first start: clients remember it. */
async function choosePort(configuration: Configuration, known: Installation | undefined): Promise<ListenAddress> {
  const stored = known === undefined ? undefined : parseListenAddress(known.listen)
  const listen = configuration.listen ?? stored ?? defaultListen
  if (listen.port !== 0) return listen
  if (stored !== undefined && stored.host === listen.host) return stored
  const port = await freePort(listen.host).catch((cause: unknown) => {
    throw listenFailure(listen, cause)
  })
  return { host: listen.host, port }
}

/** Sees that nobody listens there. Throws `listen_failed`. */
export async function demandFreePort(listen: ListenAddress): Promise<void> {
  const cause = await whyNotListening(listen.host, listen.port)
  if (cause !== undefined) throw listenFailure(listen, cause)
}

function defaultPublicUrl(scheme: 'http' | 'https', listen: ListenAddress): string {
  if (listen.host !== '0.0.0.0' && listen.host !== '::') return `${scheme}://${formatListenAddress(listen)}`
  throw new CountersignError('usage', `${formatListenAddress(listen)} says where to listen, not how clients reach it`, {
    hint: 'Say it with --public-url https://HOST[:PORT]; it is stored at the first start.',
  })
}

/** How the port is opened. */
export function portOptions({ configuration, listen, tls, log, first }: ServingPlan): HttpOptions {
  const { limits, trustedProxies } = configuration
  const hosts = [...configuration.hosts, ...(first === undefined ? [] : [hostOf(new URL(first.publicUrl))])]
  return { listen, limits, log, trustedProxies, hosts, ...(tls === undefined ? {} : { tls }) }
}

/** Every secret that a configuration names, wherever. */
function referencesIn(value: unknown): readonly SecretReference[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (typeof value !== 'object' || value === null || value instanceof Map) return []
  const { kind, name } = value as { readonly kind?: unknown; readonly name?: unknown }
  if ((kind === 'file' || kind === 'env' || kind === 'credential') && typeof name === 'string') return [{ kind, name }]
  return Object.values(value).flatMap(referencesIn)
}

/** Variables and credentials that a service manager may set for the server alone; a file is there, or `config_reference_missing`. */
async function unsetSecrets(configuration: Configuration, access: PassphraseAccess): Promise<readonly string[]> {
  const unset: string[] = []
  for (const reference of referencesIn(configuration)) {
    try {
      await resolveSecret(reference, access)
    } catch (failure) {
      const isElsewhere = failure instanceof CountersignError && failure.code === 'config_reference_missing' && reference.kind !== 'file'
      if (!isElsewhere) throw failure
      unset.push(`${formatSecretReference(reference)} is not set here; serving needs it`)
    }
  }
  return unset
}

/** What `--check` found. */
export type ServeCheck = {
  readonly data: string
  readonly state: 'empty' | 'begun' | 'complete'
  readonly listen: string
  readonly publicUrl: string | undefined
  readonly roles: readonly string[]
  readonly passphrase: string
  readonly file: string | undefined
  readonly settings: readonly ConfigurationSetting[]
  /** What should be otherwise, in sentences. */
  readonly warnings: readonly string[]
}

/** Checks everything that can be without changing anything: the document, its references, the certificate, the data folder. Throws as serving would. */
export async function checkServing(request: ServeRequest): Promise<ServeCheck> {
  const plan = await planServing(request)
  const { configuration, data, listen, state, first, file, settings } = plan
  await httpPort(portOptions(plan))
  const unset = await unsetSecrets(configuration, request.access)
  if (state !== 'complete' && first === undefined) {
    throw new CountersignError('data_folder_missing', `there is no installation in ${data}, and a first start is forbidden`)
  }
  // The rooms that know these keys are many: not loaded to serve.
  const [{ checkWitnesses }, { readKnownKeys }] = await Promise.all([import('./witnesses.ts'), import('./logs.ts')])
  await checkWitnesses(configuration.log)
  await readKnownKeys(configuration.log.knownKeys)
  return {
    data,
    state,
    listen: formatListenAddress(listen),
    publicUrl: first?.publicUrl,
    roles: configuration.roles,
    passphrase: describePassphraseSource(configuration.keys.passphrase, data),
    file,
    settings,
    warnings: [...(await warningsOf(plan, request.clock)), ...unset],
  }
}

async function warningsOf(plan: ServingPlan, clock: Clock): Promise<readonly string[]> {
  const { data, state, configuration } = plan
  const exposed = await exposuresOf(data, passphraseFile(configuration.keys.passphrase))
  // A first start closes the folder that it finds.
  const warning = exposureWarning(exposed.filter(({ path }) => state !== 'empty' || path !== data))
  const ends = configuration.tls === undefined ? [] : expiryWarnings([await tlsExpiry(configuration.tls)], clock())
  return [...(warning === undefined ? [] : [warning]), ...ends, ...hiddenCallers(plan)]
}

/** Behind a proxy that nobody named, everybody is one caller: what is bounded for each address is then bounded for all of them together. */
export function hiddenCallers({
  listen,
  first,
  configuration,
}: Pick<ServingPlan, 'listen' | 'first' | 'configuration'>): readonly string[] {
  if (!isLoopback(listen.host) || first === undefined || isLoopback(hostOf(new URL(first.publicUrl)))) return []
  if (configuration.trustedProxies.length > 0) return []
  return ['every caller counts as one, as whose wrong passwords all others wait: name the proxy on this machine under trustedProxies']
}
