/** Puts small images into registries with nothing but the distribution API, and dumps of registries into image layouts. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

/** `sha256:…` of bytes. */
function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

/** Pushes an image whose content is `label`, so that each label is an image of its own; gives its digest. */
export async function pushImage(host: string, repository: string, tag: string, label: string): Promise<string> {
  const layer = Buffer.from(`layer of ${label}`)
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { label } },
      rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
    }),
  )
  await pushBlob(host, repository, layer)
  await pushBlob(host, repository, config)
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', size: config.length, digest: sha256(config) },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', size: layer.length, digest: sha256(layer) }],
  }
  return pushManifest(host, repository, tag, manifestType, JSON.stringify(manifest))
}

/** Pushes an index of two images; gives its digest. */
export async function pushIndex(host: string, repository: string, tag: string, label: string): Promise<string> {
  const manifests = []
  for (const architecture of ['amd64', 'arm64']) {
    const digest = await pushImage(host, repository, `${tag}-${architecture}`, `${label} ${architecture}`)
    const size = (
      await fetch(`http://${host}/v2/${repository}/manifests/${digest}`, { headers: { accept: manifestType } }).then((answer) =>
        answer.arrayBuffer(),
      )
    ).byteLength
    manifests.push({ mediaType: manifestType, size, digest, platform: { os: 'linux', architecture } })
  }
  return pushManifest(host, repository, tag, indexType, JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }))
}

async function pushBlob(host: string, repository: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const started = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  const location = new URL(started.headers.get('location') ?? '', `http://${host}`)
  location.searchParams.set('digest', sha256(bytes))
  await confirmed(await fetch(location, { method: 'PUT', body: bytes, headers: { 'content-type': 'application/octet-stream' } }))
}

/** Pushes a manifest under a tag; gives its digest. */
async function pushManifest(host: string, repository: string, tag: string, type: string, body: string): Promise<string> {
  await confirmed(
    await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, { method: 'PUT', body, headers: { 'content-type': type } }),
  )
  return sha256(body)
}

async function confirmed(answer: Response): Promise<void> {
  if (answer.status !== 201) throw new CountersignError('write_rejected', `${answer.url} answered ${answer.status}: ${await answer.text()}`)
}

/** Reads a manifest as JSON, or gives `undefined` where there is none. */
export async function readManifest(
  host: string,
  repository: string,
  reference: string,
): Promise<{ manifests?: Descriptor[]; layers?: Descriptor[]; artifactType?: string } | undefined> {
  const answer = await fetch(`http://${host}/v2/${repository}/manifests/${reference}`, {
    headers: { accept: `${manifestType}, ${indexType}` },
  })
  if (answer.status === 404) return undefined
  return (await answer.json()) as { manifests?: Descriptor[]; layers?: Descriptor[] }
}

/** A descriptor as found in JSON. */
export type Descriptor = { digest: string; size: number; mediaType: string; artifactType?: string; annotations?: Record<string, string> }

/** A registry's repository written to files (`manifest_<tag or digest>.json`, `blob_<digest>`), as an OCI image layout. */
export function layoutFromDump(dump: string, layout: string): void {
  mkdirSync(join(layout, 'blobs', 'sha256'), { recursive: true })
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const manifests: object[] = []
  for (const name of readdirSync(dump)) {
    const match = /^(manifest|blob)_(.+?)(?:\.json)?$/.exec(name)
    if (match === null) continue
    const bytes = readFileSync(join(dump, name))
    const digest = sha256(bytes)
    writeFileSync(join(layout, 'blobs', 'sha256', digest.slice(7)), bytes)
    if (match[1] === 'blob') continue
    const mediaType = (JSON.parse(bytes.toString()) as { mediaType: string }).mediaType
    const tag = match[2]?.startsWith('sha256_') === true ? undefined : match[2]
    const annotations = tag === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': tag } }
    manifests.push({ mediaType, digest, size: bytes.length, ...annotations })
  }
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }))
}
