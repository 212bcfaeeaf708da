/** The root that a store starts from: named by the user and checked by its digest, stored before, or shipped for the public-good mirror. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { base64ToBytes } from '@countersign/core/base64'
import { CountersignError } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'
import { documentPlace, openMembers, text } from '@countersign/core/json/shape'
import { isLoopbackHost } from '../http/address.ts'
import { readBoundedFile, readFileIfThere } from '../bounded-file.ts'
import { type MirrorReader, parseMirrorUrl } from './mirror.ts'
import { parseRole, tufLimits } from './store.ts'

/** The mirror that `cosign initialize` without flags uses. */
export const publicGoodMirror = 'https://tuf-repo-cdn.sigstore.dev'
/** The mirror of `--staging`. */
export const stagingMirror = 'https://tuf-repo-cdn.sigstage.dev'

/** What the user says of the root. */
export type RootSource = {
  /** A path or URL. */
  readonly root?: string
  /** 64 hex digits of SHA-256, or `sha512:` and 128. */
  readonly checksum?: string
}

/** The root metadata to start from, and where it came from. */
export type InitialRoot = { readonly bytes: Uint8Array; readonly source: 'named' | 'stored' | 'shipped' | 'mirror' }

/**
 * Finds the root. A root that came over the network counts only with its checksum, unless this machine served it: whoever answers in place of
 * the mirror would otherwise be trusted for good. Throws `usage`, `content_altered`, `tuf_malformed`, `trust_missing`.
 */
export async function initialRoot(mirror: MirrorReader, url: string, mirrorFolder: string, source: RootSource): Promise<InitialRoot> {
  const checksum = source.checksum === undefined ? undefined : readChecksum(source.checksum)
  const found = await find(mirror, url, mirrorFolder, source)
  if (checksum !== undefined) checkDigest(found.bytes, checksum)
  demandRootMetadata(found.bytes)
  return found
}

function demandRootMetadata(bytes: Uint8Array): void {
  const hint = 'Name the root.json of the mirror with --root.'
  let type: JsonValue | undefined
  try {
    const { value } = parseRole(bytes, 'the TUF root')
    type = openMembers(openMembers(documentPlace(value, 'tuf_malformed'))('signed'))('_type').value
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('tuf_malformed', `the TUF root is no root metadata: ${cause.message}`, { cause, hint })
  }
  if (type === 'root') return
  const found = JSON.stringify(type ?? null).slice(0, 60)
  throw new CountersignError('tuf_malformed', 'the TUF root is no root metadata', { found, hint })
}

async function find(mirror: MirrorReader, url: string, mirrorFolder: string, { root, checksum }: RootSource): Promise<InitialRoot> {
  if (root !== undefined) return { bytes: await readNamed(mirror, root, checksum), source: 'named' }
  const stored = await readFileIfThere(join(mirrorFolder, 'root.json'), tufLimits.root)
  if (stored !== undefined) return { bytes: stored, source: 'stored' }
  const shipped = await shippedRoot(url)
  if (shipped !== undefined) return { bytes: shipped, source: 'shipped' }
  demandChecksum(url, checksum)
  const bytes = await mirror.read(`${url}/1.root.json`, tufLimits.root)
  if (bytes !== undefined) return { bytes, source: 'mirror' }
  throw new CountersignError('trust_missing', 'the TUF mirror does not have 1.root.json, and no root was given', {
    hint: 'Name the root with --root FILE.',
  })
}

async function readNamed(mirror: MirrorReader, root: string, checksum: string | undefined): Promise<Uint8Array> {
  if (!/^(?:https?|file):\/\//i.test(root)) return readBoundedFile(root, tufLimits.root)
  const url = parseMirrorUrl(root, '--root')
  demandChecksum(url, checksum)
  const bytes = await mirror.read(url, tufLimits.root)
  if (bytes === undefined)
    throw new CountersignError('tuf_unreachable', `there is no ${url}`, {
      hint: 'Check the address: an installation has its root under URL/kit/root.json.',
    })
  return bytes
}

function demandChecksum(url: string, checksum: string | undefined): void {
  const { protocol, hostname } = new URL(url)
  if (checksum !== undefined || protocol === 'file:' || isLoopbackHost(hostname)) return
  throw new CountersignError('usage', `a root that comes from ${hostname} needs its checksum`, {
    expected: '--root-checksum and 64 hex digits of SHA-256',
    hint: 'Get the checksum from whoever runs the mirror, by another way than the mirror; or name a root file with --root.',
  })
}

type Checksum = { readonly algorithm: string; readonly hex: string }

function readChecksum(checksum: string): Checksum {
  const match = /^(?:(sha256):)?([0-9a-f]{64})$/i.exec(checksum) ?? /^(sha512):([0-9a-f]{128})$/i.exec(checksum)
  if (match === null) {
    throw new CountersignError('usage', '--root-checksum is no checksum', {
      expected: '64 hex digits of SHA-256, or sha512: and 128 hex digits',
      found: JSON.stringify(checksum.slice(0, 40)),
    })
  }
  return { algorithm: match[1]?.toLowerCase() ?? 'sha256', hex: match[2]?.toLowerCase() ?? '' }
}

function checkDigest(bytes: Uint8Array, { algorithm, hex }: Checksum): void {
  const found = createHash(algorithm).update(bytes).digest('hex')
  if (found === hex) return
  throw new CountersignError('content_altered', 'the TUF root is not the one whose checksum was given', {
    expected: `${algorithm}:${hex}`,
    found: `${algorithm}:${found}`,
    hint: 'Do not use it. Get the root and its checksum again from whoever runs the mirror.',
  })
}

async function shippedRoot(url: string): Promise<Uint8Array | undefined> {
  if (url !== publicGoodMirror) return undefined
  const { default: seeds } = await import('@sigstore/tuf/seeds.json', { with: { type: 'json' } })
  return base64ToBytes(text(openMembers(openMembers(documentPlace(seeds, 'tuf_malformed'))(publicGoodMirror))('root.json')))
}
