/** The registry flags as a connection, and image references as typed. */
import { type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { CountersignError } from '@countersign/core/failure'
import type { Connection } from '@countersign/sdk/connection'
import type { ImagePlaces } from '@countersign/sdk/sign/repositories'
import type { FlagValues } from './command/flag-values.ts'
import type { Invocation } from './command/invocation.ts'
import { durationMs } from './command/parse.ts'
import { version } from './version.ts'

/** How to reach registries, as the flags say. */
export function connectionFromFlags({ flags, terminal }: Invocation): Connection {
  const timeout = flags.text('timeout')
  const [username, password] = [flags.text('registry-username'), flags.text('registry-password')]
  if ((username === undefined) !== (password === undefined)) {
    // Half of it would silently be anonymous access.
    throw new CountersignError('usage', 'a user name and a password for the registry belong together', {
      expected: '--registry-username and --registry-password',
      found: username === undefined ? 'only --registry-password' : 'only --registry-username',
      hint: 'Give both, or log in with "countersign login".',
    })
  }
  return {
    environment: terminal.environment,
    userAgent: `countersign/${version}`,
    allowHttp: flags.boolean('allow-http-registry', false),
    allowInsecure: flags.boolean('allow-insecure-registry', false),
    ...optional('username', username),
    ...optional('password', password),
    ...optional('token', flags.text('registry-token')),
    ...optional('caFile', flags.text('registry-cacert')),
    ...optional('clientCertificateFile', flags.text('registry-client-cert')),
    ...optional('clientKeyFile', flags.text('registry-client-key')),
    ...optional('serverName', flags.text('registry-server-name')),
    ...(timeout === undefined || durationMs(timeout) === 0 ? {} : { deadlineMs: durationMs(timeout) }),
  }
}

/** From this many images on, a run need not ask for each what it was told of another a moment ago. */
const manyImages = 10
const listingAgeMs = 30_000

/** The connection of a verb that verifies so many images: with the cache on disk, unless it is not wanted. */
export function verifyingConnection(invocation: Invocation, images: number): Connection {
  const folder = cacheFolder(invocation)
  return {
    ...connectionFromFlags(invocation),
    ...(folder === undefined ? {} : { cache: { folder } }),
    ...(images < manyImages ? {} : { listingAgeMs }),
  }
}

/** `--max-workers`: how many images or files are verified at the same time. Throws `usage` for none. */
export function maxWorkers(flags: FlagValues): number {
  const workers = Number(flags.text('max-workers') ?? '32')
  if (workers > 0) return workers
  throw new CountersignError('usage', '--max-workers 0 would verify nothing', {
    expected: 'at least 1',
    hint: 'Leave it out: the default is 32.',
  })
}

/** `--cache-dir`, or where the XDG base directory specification keeps what can be made again; a relative path there is none. */
function cacheFolder({ flags, terminal }: Invocation): string | undefined {
  if (flags.boolean('no-cache', false)) return undefined
  const named = flags.text('cache-dir')
  if (named !== undefined) return named
  const { XDG_CACHE_HOME: cache, HOME: home } = terminal.environment
  const base = cache?.startsWith('/') === true ? cache : home?.startsWith('/') === true ? `${home}/.cache` : undefined
  return base === undefined ? undefined : `${base}/countersign/objects`
}

function optional<Name extends string>(name: Name, value: string | undefined): { readonly [key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [key in Name]: string })
}

/** An image, the repository that keeps its signatures, and how to reach both. */
export function imagePlaces(invocation: Invocation, image: ImageReference): ImagePlaces & { readonly connection: Connection } {
  return { image, ...signatureRepository(invocation.flags), connection: connectionFromFlags(invocation) }
}

/** An image as it was typed; with `--local-image` it is a layout. Throws `reference_malformed`. */
export function typedImage(flags: FlagValues, subject: string): ImageReference {
  return parseReference(flags.boolean('local-image', false) ? `oci:${subject}` : subject)
}

/** The repository that keeps the signatures, when it is another than the image's. */
export function signatureRepository(flags: FlagValues): { readonly signatureRepository?: ImageReference } {
  const name = flags.text('signature-repository')
  return name === undefined ? {} : { signatureRepository: parseReference(name) }
}
