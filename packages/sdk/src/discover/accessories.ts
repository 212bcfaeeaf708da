/** Everything that refers to an image, as `tree` and `download` show it. Nothing here is verified. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { legacyTag } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import { parseStatement } from '@countersign/core/statement/statement'
import type { RepositoryReader } from '../registry/repository.ts'
import { claimOf } from '../verify/outcome.ts'
import { discoverSignatures } from './discover.ts'
import { isEntityMediaType, parseStoredManifest } from './entity.ts'
import type { Discovery, FoundEntity } from './found.ts'
import { failureIn } from './reading.ts'

/** One artifact that refers to an image. */
export type Accessory = {
  readonly manifest: Digest
  /** What it claims to be, read from the content, not from a descriptor. `artifact`: anything that is no signature. */
  readonly kind: 'signature' | 'attestation' | 'unreadable' | 'sbom' | 'artifact'
  /** Predicate type of a statement; else the media type of the layer, or the artifact type. */
  readonly type: string
  /** Why it does not parse, where it does not. */
  readonly detail?: string
  /** The blob that holds it; absent for other artifacts. */
  readonly blob?: Digest
  /** Bytes: of the blob where there is one, else of the manifest. */
  readonly size: number
  /** Where it is listed: layouts of signatures, or the kind of place. */
  readonly places: readonly string[]
}

/** All accessories of one image. */
export type AccessoryTree = { readonly accessories: readonly Accessory[]; readonly unreadable: readonly CountersignError[] }

/**
 * Lists all accessories of an image: signatures and attestations of all layouts, the attached SBOM, and other referrers.
 *
 * @example
 * ```ts
 * const { accessories } = await listTree(repository, { digest })
 * for (const { kind, type, size } of accessories) console.log(kind, type, size)
 * ```
 */
export async function listTree(repository: RepositoryReader, subject: Pick<Descriptor, 'digest'>): Promise<AccessoryTree> {
  const [discovery, sbom] = await Promise.all([discoverSignatures(repository, subject), attachedSbom(repository, subject.digest)])
  const signatures = discovery.found.map((found): Accessory => ({
    manifest: found.origin.manifest,
    kind: claimOf(found),
    type: typeOf(found),
    ...(found.parsed.ok ? {} : { detail: found.parsed.failure.message }),
    blob: found.origin.blob,
    size: found.bytes.length,
    places: found.origin.layouts,
  }))
  const unreadable = sbom instanceof CountersignError ? [...discovery.unreadable, sbom] : discovery.unreadable
  const sboms = sbom instanceof CountersignError ? [] : sbom
  return { accessories: [...signatures, ...sboms, ...otherArtifacts(discovery, subject.digest)], unreadable }
}

function typeOf(found: FoundEntity): string {
  const content = found.parsed.ok ? found.parsed.entity.content : undefined
  if (content?.kind !== 'dsse' || claimOf(found) === 'unreadable') return found.mediaType
  return parseStatement(content.envelope.payload).predicateType
}

async function attachedSbom(repository: RepositoryReader, subject: Digest): Promise<readonly Accessory[] | CountersignError> {
  try {
    const stored = await repository.manifest({ tag: legacyTag(subject, 'sbom') })
    const manifest = stored === undefined ? undefined : parseStoredManifest(stored)
    if (stored === undefined || manifest?.kind !== 'manifest') return []
    return manifest.layers.map((layer) => ({
      manifest: stored.digest,
      kind: 'sbom',
      type: layer.mediaType,
      blob: layer.digest,
      size: layer.size,
      places: ['legacy-tag'],
    }))
  } catch (cause) {
    return failureIn(cause)
  }
}

/** Manifests that were listed, are about this image, and hold no signature. */
function otherArtifacts(discovery: Discovery, subject: Digest): readonly Accessory[] {
  const signatures = new Set(discovery.found.map((found) => found.origin.manifest))
  return [...discovery.manifests].flatMap(([digest, { manifest, size, sources }]) => {
    if (signatures.has(digest) || manifest.subject?.digest !== subject) return []
    const holdsSignature = manifest.kind === 'manifest' && manifest.layers.some((layer) => isEntityMediaType(layer.mediaType))
    if (holdsSignature) return []
    const type = manifest.artifactType ?? (manifest.kind === 'manifest' ? manifest.config.mediaType : manifest.mediaType)
    return [{ manifest: digest, kind: 'artifact' as const, type, size, places: sources }]
  })
}

/** Signatures or attestations as stored, and what could not be read. */
export type Downloaded = Pick<Discovery, 'found' | 'unreadable'>

/**
 * The signatures of an image as stored, of every layout; attestations are not among them. Unverified.
 *
 * @example
 * ```ts
 * const { found } = await downloadSignatures(repository, { digest })
 * for (const { bytes } of found) console.log(new TextDecoder().decode(bytes))
 * ```
 */
export async function downloadSignatures(repository: RepositoryReader, subject: Pick<Descriptor, 'digest'>): Promise<Downloaded> {
  const { found, unreadable } = await discoverSignatures(repository, subject)
  return { found: found.filter((one) => claimOf(one) !== 'attestation'), unreadable }
}

/**
 * The attestations of an image as stored, of every layout; of one predicate type, if named. Unverified.
 *
 * @example
 * ```ts
 * const { found } = await downloadAttestations(repository, { digest }, 'https://spdx.dev/Document')
 * for (const { bytes } of found) console.log(new TextDecoder().decode(bytes))
 * ```
 */
export async function downloadAttestations(
  repository: RepositoryReader,
  subject: Pick<Descriptor, 'digest'>,
  predicateType?: string,
): Promise<Downloaded> {
  const { found, unreadable } = await discoverSignatures(repository, subject)
  const isWanted = (one: FoundEntity): boolean =>
    claimOf(one) === 'attestation' && (predicateType === undefined || typeOf(one) === predicateType)
  return { found: found.filter(isWanted), unreadable }
}
