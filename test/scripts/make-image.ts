/** `make-image DIR TAG TEXT`: an OCI image layout with one image, for the transcripts. With `index` before: an index of two images. */
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

type Stored = { readonly digest: string; readonly size: number }

const mediaTypes = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
}

const args = process.argv.slice(2)
const several = args[0] === 'index'
const [folder = 'image', tag = '1.0', text = 'hello'] = several ? args.slice(1) : args
mkdirSync(join(folder, 'blobs/sha256'), { recursive: true })
const images = (several ? ['amd64', 'arm64'] : ['amd64']).map((architecture) => ({
  ...image(architecture),
  platform: { os: 'linux', architecture },
}))
const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: images }
const [{ platform: _, ...only }] = images as [(typeof images)[0]]
const root = several ? { mediaType: mediaTypes.index, ...put(index) } : only
writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
writeFileSync(
  join(folder, 'index.json'),
  JSON.stringify({ schemaVersion: 2, manifests: [{ ...root, annotations: { 'org.opencontainers.image.ref.name': tag } }] }),
)

function image(architecture: string): { mediaType: string } & Stored {
  const layer = put(Buffer.from(`${text} ${architecture}`))
  const config = put({ architecture, os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [layer.digest] } })
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...config },
    layers: [{ mediaType: mediaTypes.layer, ...layer }],
  }
  return { mediaType: mediaTypes.manifest, ...put(manifest) }
}

function put(content: object | Uint8Array): Stored {
  const bytes = content instanceof Uint8Array ? content : Buffer.from(JSON.stringify(content))
  const hex = createHash('sha256').update(bytes).digest('hex')
  writeFileSync(join(folder, 'blobs/sha256', hex), bytes)
  return { digest: `sha256:${hex}`, size: bytes.length }
}
