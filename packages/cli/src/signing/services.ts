/** The signing services in force: which ones, and whose answers are to be trusted. */
import { CountersignError } from '@countersign/core/failure'
import { parseSigningConfig, type SigningConfig, type SigningService } from '@countersign/core/trust/signing-config'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { SigningSetup } from '@countersign/sdk/keyless/signer'
import { openClient } from '@countersign/sdk/open-client'
import { mirrorInUse, storeFolder } from '@countersign/sdk/tuf/store'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'
import { initializedTarget, initializedTrust } from '../trust/initialized.ts'
import { selectTrust } from '../trust/select.ts'

const maxConfigBytes = 1_048_576
const target = 'signing_config.v0.2.json'

/** The services that the flags name, or what was initialized. Throws `service_not_supported` when neither names any. */
export async function servicesInForce(invocation: Invocation): Promise<SigningConfig> {
  return withNamedServices(invocation, await signingConfig(invocation))
}

/** Everything that services are asked with. Throws `trust_missing` when nothing says whom to trust in checking their answers. */
export async function signingSetup(invocation: Invocation, config: SigningConfig): Promise<SigningSetup> {
  const { terminal } = invocation
  const trustedRoot = await rootOfServices(invocation)
  const { environment, deadlineMs, caFile, userAgent, trace } = connectionFromFlags(invocation)
  const client = await openClient({
    environment,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(caFile === undefined ? {} : { caFile }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(trace === undefined ? {} : { trace }),
  })
  const started = performance.now()
  // A login in a browser takes its time: the clock goes on from when the command began.
  return { client, config, trustedRoot, nowMs: () => terminal.nowMs + (performance.now() - started) }
}

/** A named trusted root, or what was initialized; never the public-good one, which knows nothing of services of one's own. */
async function rootOfServices(invocation: Invocation): Promise<TrustedRoot> {
  const { flags, terminal } = invocation
  const trust =
    flags.text('trusted-root') === undefined
      ? await initializedTrust(terminal.environment, terminal.nowMs)
      : await selectTrust(invocation, false)
  if (trust !== undefined) return trust.root
  throw new CountersignError(
    'trust_missing',
    'what services answer is verified before it is used, and no trusted root is known to do it with',
    {
      hint: 'Run "countersign initialize --mirror URL/tuf --root URL/kit/root.json", or name a trusted root with --trusted-root.',
    },
  )
}

/** `--signing-config`, or what `initialize` fetched from an installation of one's own. */
async function signingConfig({ flags, terminal }: Invocation): Promise<SigningConfig> {
  const path = flags.text('signing-config')
  if (path !== undefined) return inFile(path, async () => parseSigningConfig(await readInput(path, maxConfigBytes)))
  const folder = storeFolder(terminal.environment)
  const mirror = folder === undefined ? undefined : await mirrorInUse(folder)
  if (mirror !== undefined && isPublic(mirror)) throw publicInstance(mirror)
  const stored = await initializedTarget(terminal.environment, terminal.nowMs, target)
  if (stored !== undefined) return inFile(stored.path, async () => ownServices(parseSigningConfig(stored.bytes)))
  if (namedServices.some((name) => flags.text(name) !== undefined)) return noServices
  throw new CountersignError(
    'service_not_supported',
    `${flags.text('key') === undefined ? 'signing without --key needs a certificate authority, and none' : 'a signing service was asked for, and none'} is known`,
    {
      hint: 'Run "countersign initialize --mirror URL/tuf --root URL/kit/root.json" with the URL of your installation ("countersign serve" starts one), name services with --signing-config, or sign with --key.',
    },
  )
}

const noServices: SigningConfig = { caUrls: [], oidcUrls: [], logUrls: [], timestampUrls: [] }

/** The same config. Throws `service_not_supported` where a mirror of one's own leads into a public instance. */
function ownServices(config: SigningConfig): SigningConfig {
  const all = [...config.caUrls, ...config.oidcUrls, ...config.logUrls, ...config.timestampUrls]
  const found = all.find(({ url }) => isPublic(url))
  if (found !== undefined) throw publicInstance(found.url)
  return config
}

/** Whether the public-good or the staging instance of Sigstore is at that address. */
function isPublic(address: string): boolean {
  return /(?:^|\.)(?:sigstore|sigstage)\.dev\.?$/.test(URL.parse(address)?.hostname ?? '')
}

/** What is signed there is published for ever, with the name of who signed: never by default. */
function publicInstance(address: string): CountersignError {
  return new CountersignError(
    'service_not_supported',
    'what was initialized is a public Sigstore instance, and nothing is signed into one by default',
    {
      found: address,
      hint: 'Name its signing config with --signing-config if the whole world may see who signed what; or sign with --key.',
    },
  )
}

const namedServices = ['fulcio-url', 'rekor-url', 'timestamp-server-url', 'oidc-issuer'] as const

/** `--fulcio-url` and the others stand for the services of the config that they name, as with cosign; `--rekor-url` names version 1. */
function withNamedServices({ flags }: Invocation, config: SigningConfig): SigningConfig {
  const one = (name: (typeof namedServices)[number]): readonly SigningService[] | undefined => {
    const url = flags.text(name)
    return url === undefined ? undefined : [{ url, majorApiVersion: 1, validFor: { start: 0 }, operator: '' }]
  }
  const logs = one('rekor-url')
  const timestamps = one('timestamp-server-url')
  const { logSelector, timestampSelector, ...lists } = config
  return {
    ...lists,
    caUrls: one('fulcio-url') ?? config.caUrls,
    oidcUrls: one('oidc-issuer') ?? config.oidcUrls,
    logUrls: logs ?? config.logUrls,
    timestampUrls: timestamps ?? config.timestampUrls,
    ...(logSelector === undefined || logs !== undefined ? {} : { logSelector }),
    ...(timestampSelector === undefined || timestamps !== undefined ? {} : { timestampSelector }),
  }
}
