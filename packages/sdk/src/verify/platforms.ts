/** Which platforms an image is for. */
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, openMembers, optional, text } from '@countersign/core/json/shape'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { formatPlatform, isPlatform } from '@countersign/core/oci/platform'
import { readAll } from '../discover/bounded.ts'
import { parseStoredManifest } from '../discover/entity.ts'
import type { RepositoryReader } from '../registry/repository.ts'

/** Bytes of a configuration: those of large images have some 50 KiB. */
const maxConfigBytes = 4 * 1024 * 1024

const configMediaTypes: ReadonlySet<string> = new Set([mediaTypes.ociConfig, 'application/vnd.docker.container.image.v1+json'])

/**
 * `os/architecture[/variant]` of what an index lists, or of the one image that a manifest is, which its configuration says
 * (image-spec config.md); `undefined` for what is neither, such as a chart, and where the configuration says nothing. The digests of both are covered by that of the subject.
 * Throws `manifest_malformed`, and what the repository throws.
 */
export async function platformsOf(
  images: Pick<RepositoryReader, 'manifest' | 'blob'>,
  subject: Pick<Descriptor, 'digest'>,
): Promise<readonly string[] | undefined> {
  const stored = await images.manifest({ digest: subject.digest })
  const manifest = stored === undefined ? undefined : parseStoredManifest(stored)
  if (manifest === undefined) return undefined
  if (manifest.kind === 'index') return manifest.manifests.flatMap(platformListed)
  const { config } = manifest
  if (!configMediaTypes.has(config.mediaType)) return undefined
  const bytes = await readAll(images.blob(config), maxConfigBytes, 'the configuration of the image', () => undefined)
  const code = 'manifest_malformed'
  const field = openMembers(documentPlace(parseJsonAs(code, 'the configuration of the image', bytes).value, code))
  const variant = optional(field('variant'), text)
  const [os, architecture] = [optional(field('os'), text) ?? '', optional(field('architecture'), text) ?? '']
  // Tools write empty ones for what runs nowhere, such as `crane append` without a base.
  if (os === '' || architecture === '') return undefined
  const platform = { os, architecture }
  return [formatPlatform(variant === undefined || variant === '' ? platform : { ...platform, variant })]
}

/** What an index says of one of its manifests; nothing where it says nothing. */
export function platformListed({ platform }: Descriptor): readonly string[] {
  return platform === undefined ? [] : [formatPlatform(platform)]
}

/**
 * The first manifest of an index for each platform that is named (`os/architecture[/variant]`). Throws `usage` when the subject is no index,
 * `artifact_not_found` when one is missing.
 */
export async function choosePlatforms(
  images: Pick<RepositoryReader, 'manifest'>,
  subject: Pick<Descriptor, 'digest'>,
  named: readonly string[],
): Promise<readonly Descriptor[]> {
  const stored = await images.manifest({ digest: subject.digest })
  const index = stored === undefined ? undefined : parseStoredManifest(stored)
  if (index?.kind !== 'index') {
    throw new CountersignError('usage', `${subject.digest} is no index: it has no platforms to choose from`, {
      hint: 'Leave --platform out.',
    })
  }
  return named.map((name) => {
    const chosen = index.manifests.find((child) => platformListed(child).some((platform) => isPlatform(platform, name)))
    if (chosen !== undefined) return chosen
    throw new CountersignError('artifact_not_found', `${subject.digest} has no image for ${name.slice(0, 60)}`, {
      found: index.manifests.flatMap(platformListed).join(', ').slice(0, 300),
      hint: 'Name one of them.',
    })
  })
}
