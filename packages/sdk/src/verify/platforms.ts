/** Which platforms an image is for. */
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, nonEmptyText, openMembers, optional, text } from '@countersign/core/json/shape'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { readAll } from '../discover/bounded.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import type { RepositoryReader } from '../registry/repository.ts'

/** Bytes of a configuration: those of large images have some 50 KiB. */
const maxConfigBytes = 4 * 1024 * 1024

const configMediaTypes: ReadonlySet<string> = new Set([mediaTypes.ociConfig, 'application/vnd.docker.container.image.v1+json'])

/**
 * `os/architecture[/variant]` of what an index lists, or of the one image that a manifest is, which its configuration says
 * (image-spec config.md); `undefined` for what is neither, such as a chart. The digests of both are covered by that of the subject.
 * Throws `manifest_malformed`, and what the repository throws.
 */
export async function platformsOf(
  images: Pick<RepositoryReader, 'manifest' | 'blob'>,
  subject: Pick<Descriptor, 'digest'>,
): Promise<readonly string[] | undefined> {
  const stored = await images.manifest({ digest: subject.digest })
  const manifest = stored === undefined ? undefined : parseStoredManifest(stored)
  if (manifest === undefined) return undefined
  if (manifest.kind === 'index')
    return manifest.manifests.flatMap(({ platform }) => (platform === undefined ? [] : [platformText(platform)]))
  const { config } = manifest
  if (!configMediaTypes.has(config.mediaType)) return undefined
  const bytes = await readAll(images.blob(config), maxConfigBytes, 'the configuration of the image', () => undefined)
  const code = 'manifest_malformed'
  const field = openMembers(documentPlace(parseJsonAs(code, 'the configuration of the image', bytes).value, code))
  const variant = optional(field('variant'), text)
  const platform = { os: nonEmptyText(field('os')), architecture: nonEmptyText(field('architecture')) }
  return [platformText(variant === undefined || variant === '' ? platform : { ...platform, variant })]
}

function platformText({ os, architecture, variant }: NonNullable<Descriptor['platform']>): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/')
}
