/** Real samples to mutate: from the vectors beside the checkout where they are, and always those in `bench/samples/`. */
import { generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { encryptPrivateKey } from '@countersign/sdk/keys/encrypted-key'
import { vectorsFolder } from '@countersign/testkit/vectors'

/** Samples by what they are. */
export type Samples = {
  readonly bundles: Uint8Array[]
  readonly legacyBundles: Uint8Array[]
  readonly certificates: Uint8Array[]
  readonly timestamps: Uint8Array[]
  readonly notes: Uint8Array[]
  readonly envelopes: Uint8Array[]
  readonly statements: Uint8Array[]
  readonly entryBodies: Uint8Array[]
  readonly payloads: Uint8Array[]
  readonly manifests: Uint8Array[]
  readonly publicKeys: Uint8Array[]
  readonly encryptedKeys: Uint8Array[]
  readonly trustedRoots: Uint8Array[]
}

/** A bundle that verifies, and with what. */
export type VerifiableSample = {
  readonly name: string
  readonly folder: string
  readonly bundle: string
  readonly artifact: string
  readonly trustedRoot?: string
  readonly key?: string
}

const own = resolve(import.meta.dirname, 'samples')
const maxBytes = 100_000

/** Collects all samples. */
export async function collectSamples(): Promise<Samples> {
  const samples: Samples = {
    bundles: [],
    legacyBundles: [],
    certificates: [],
    timestamps: [],
    notes: [],
    envelopes: [],
    statements: [],
    entryBodies: [],
    payloads: [],
    manifests: [],
    publicKeys: [],
    encryptedKeys: [],
    trustedRoots: [],
  }
  const folders = [own, vectorsFolder()].filter((folder) => folder !== undefined)
  for (const path of folders.flatMap(filesUnder)) classify(path, readFileSync(path), samples)
  await addGenerated(samples)
  return samples
}

/** The bundles of the conformance suite that must verify, and ours. */
export function verifiableSamples(): readonly VerifiableSample[] {
  const found = [ofFolder(join(own, 'log-v1'), own), ofFolder(join(own, 'log-v2'), own)]
  const vectors = vectorsFolder()
  if (vectors === undefined) return found
  const suite = join(vectors, 'sigstore-conformance', 'bundle-verify')
  const root = join(vectors, 'sigstore-public-good')
  for (const name of readdirSync(suite)) {
    const folder = join(suite, name)
    if (statSync(folder).isDirectory() && !name.endsWith('_fail')) found.push(ofFolder(folder, suite, root))
  }
  return found
}

function ofFolder(folder: string, parent: string, rootFolder = parent): VerifiableSample {
  const names = readdirSync(folder)
  const at = (name: string, otherwise: string) => (names.includes(name) ? join(folder, name) : otherwise)
  return {
    name: basename(folder),
    folder,
    bundle: join(folder, 'bundle.sigstore.json'),
    artifact: at('artifact', join(parent, 'a.txt')),
    ...(names.includes('key.pub') ? { key: join(folder, 'key.pub') } : {}),
    ...(names.includes('key.pub') && !names.includes('trusted_root.json')
      ? {}
      : { trustedRoot: at('trusted_root.json', join(rootFolder, 'trusted_root.json')) }),
  }
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function classify(path: string, bytes: Buffer, samples: Samples): void {
  const name = basename(path)
  if (bytes.length === 0 || bytes.length > maxBytes || /\/(?:outputs|wycheproof|client-traces|notation[^/]*)\//.test(path)) return
  if (name.endsWith('.pub')) samples.publicKeys.push(bytes)
  else if (name.endsWith('.key')) samples.encryptedKeys.push(bytes)
  else if (name.endsWith('.pem')) return
  else if (bytes[0] === 0x7b) classifyJson(bytes, samples)
}

function classifyJson(bytes: Buffer, samples: Samples): void {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch (cause) {
    // The suite holds bundles that are broken on purpose: they are samples too.
    if (cause instanceof SyntaxError) samples.bundles.push(bytes)
    return
  }
  const object = value as Record<string, unknown>
  const mediaType = typeof object['mediaType'] === 'string' ? object['mediaType'] : ''
  if (mediaType.includes('sigstore.bundle')) samples.bundles.push(bytes)
  else if (mediaType.includes('trustedroot')) samples.trustedRoots.push(bytes)
  else if (mediaType.includes('manifest') || mediaType.includes('image.index')) samples.manifests.push(bytes)
  else if ('base64Signature' in object) samples.legacyBundles.push(bytes)
  else if ('critical' in object) samples.payloads.push(bytes)
  else if ('payloadType' in object) samples.envelopes.push(bytes)
  else if ('_type' in object) samples.statements.push(bytes)
  for (const [key, field] of fieldsOf(value)) addField(key, field, samples)
}

function addField(key: string, value: unknown, samples: Samples): void {
  if (key === 'dsseEnvelope') samples.envelopes.push(Buffer.from(JSON.stringify(value)))
  if (typeof value !== 'string') return
  const bytes = () => Buffer.from(value, 'base64')
  if (key === 'envelope') samples.notes.push(Buffer.from(value))
  else if (key === 'payload') samples.statements.push(bytes())
  else if (key === 'canonicalizedBody') samples.entryBodies.push(bytes())
  else if (key === 'signedTimestamp') samples.timestamps.push(bytes())
  else if (key === 'rawBytes' && bytes()[0] === 0x30 && value.length > 400) samples.certificates.push(bytes())
}

function* fieldsOf(value: unknown): Generator<[string, unknown]> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, field] of Object.entries(value)) {
    yield [key, field]
    yield* fieldsOf(field)
  }
}

/** What no file is needed for. */
async function addGenerated(samples: Samples): Promise<void> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const privateKey = new Uint8Array(pair.privateKey.export({ type: 'pkcs8', format: 'der' }))
  samples.publicKeys.push(Buffer.from(publicKey))
  samples.encryptedKeys.push(Buffer.from(await encryptPrivateKey(privateKey, Buffer.from('a password'))))
  const digest = `sha256:${'5a'.repeat(32)}`
  const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 400 }
  samples.payloads.push(
    Buffer.from(
      JSON.stringify({
        critical: {
          identity: { 'docker-reference': 'h/r' },
          image: { 'docker-manifest-digest': digest },
          type: 'cosign container image signature',
        },
        optional: { a: 'b' },
      }),
    ),
  )
  samples.manifests.push(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [descriptor, { ...descriptor, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } }],
      }),
    ),
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: descriptor.mediaType,
        config: descriptor,
        layers: [descriptor],
        subject: descriptor,
        annotations: { a: 'b' },
      }),
    ),
  )
  const signature = Buffer.from('a signature').toString('base64')
  samples.legacyBundles.push(Buffer.from(JSON.stringify({ base64Signature: signature, cert: Buffer.from(publicKey).toString('base64') })))
}
