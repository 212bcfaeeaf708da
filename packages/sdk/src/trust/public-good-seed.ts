/**
 * The trusted root of the public-good Sigstore instance, as the `@sigstore/tuf` package ships it: the anchors of keyless verification where
 * nobody named others. It never plays a part when a signature is verified with a key, and nothing is fetched.
 */
import { base64ToBytes } from '@countersign/core/base64'
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { documentPlace, openMembers, text, type Place } from '@countersign/core/json/shape'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { parseTime } from '@countersign/core/trust/time-range'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'

/** The seed and how old it may become. */
export type PublicGoodSeed = {
  readonly trustedRoot: TrustedRoot
  /** The file as shipped, JSON, UTF-8. */
  readonly bytes: Uint8Array
  /** Version of the TUF root metadata that is shipped beside it. */
  readonly version: number
  /** When that metadata expires, Unix milliseconds. From then on the seed is stale: keys may have been withdrawn since. */
  readonly expiresMs: number
}

const repository = 'https://tuf-repo-cdn.sigstore.dev'

/** Reads the seed; loads it when called, not before. Throws `trusted_root_malformed` when the package ships something else. */
export async function readPublicGoodSeed(): Promise<PublicGoodSeed> {
  const { default: seeds } = await import('@sigstore/tuf/seeds.json', { with: { type: 'json' } })
  const seed = openMembers(openMembers(documentPlace(seeds, 'trusted_root_malformed'))(repository))
  const bytes = decode(openMembers(seed('targets'))('trusted_root.json'))
  const root = documentPlace(parseJson(decode(seed('root.json'))), 'trusted_root_malformed')
  const signed = openMembers(openMembers(root)('signed'))
  const expiresMs = parseTime(text(signed('expires')))
  const version = signed('version').value
  if (expiresMs === undefined || typeof version !== 'number') {
    throw new CountersignError('trusted_root_malformed', 'the TUF root of the public-good seed has no expiry or version')
  }
  return { trustedRoot: parseTrustedRoot(bytes), bytes, version, expiresMs }
}

/** Refuses a stale seed with `trust_stale`, unless the person named it: then it is their choice, and the report says so. */
export function demandFreshSeed(seed: Pick<PublicGoodSeed, 'expiresMs'>, nowMs: number): void {
  if (nowMs <= seed.expiresMs) return
  throw new CountersignError('trust_stale', 'the built-in trusted root of the public-good Sigstore instance is too old to rely on', {
    expected: `use before ${new Date(seed.expiresMs).toISOString()}`,
    found: new Date(nowMs).toISOString(),
    hint: 'Give a current one with --trusted-root, or update countersign.',
  })
}

function decode(at: Place): Uint8Array {
  return base64ToBytes(text(at))
}
