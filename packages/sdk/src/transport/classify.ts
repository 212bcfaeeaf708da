/** What a manifest that refers to an image claims to be, read from its content: for summaries, and for choosing what to copy or remove. */
import type { CountersignError } from '@countersign/core/failure'
import { mediaTypes } from '@countersign/core/oci/layouts'
import type { Descriptor, ImageManifest } from '@countersign/core/oci/model'
import { readAll } from '../discover/bounded.ts'
import { isBundleMediaType, parseEntity } from '../discover/entity.ts'
import { defaultDiscoveryLimits } from '../discover/limits.ts'
import { failureIn, leavesOpen } from '../discover/reading.ts'
import type { RepositoryReader } from '../registry/repository.ts'
import { claimOf } from '../verify/outcome.ts'
import type { CarriedAccessory, CarriedManifest } from './inventory.ts'

const notationType = 'application/vnd.cncf.notary.signature'
/** Media types and artifact types of SBOMs in use: IANA's, and those that cosign and syft write. */
const sbomType =
  /^(?:text\/spdx(?:\+(?:json|xml))?|application\/spdx\+(?:json|xml)|application\/vnd\.(?:cyclonedx|syft)(?:\+(?:json|xml))?)$/

/** True for the media type of an SBOM. */
export function isSbomType(mediaType: string): boolean {
  return sbomType.test(mediaType.split(';', 1)[0] ?? '')
}

/** Layout and claim of a referrer. Failures of the network are thrown; a signature that does not parse is `unreadable`. */
export async function classifyReferrer({
  manifest,
  from,
}: Pick<CarriedManifest, 'manifest' | 'from'>): Promise<Pick<CarriedAccessory, 'layout' | 'kind' | 'entries'>> {
  if (manifest.kind === 'index') return { layout: 'referrer', kind: 'artifact', entries: manifest.manifests.length }
  const entries = manifest.layers.length
  const type = manifest.artifactType ?? manifest.config.mediaType
  if (type === notationType || manifest.config.mediaType === notationType) return { layout: 'notation', kind: 'signature', entries }
  const bundles = manifest.layers.filter((layer) => isBundleMediaType(layer.mediaType))
  if (bundles.length > 0) return { layout: 'bundle', kind: await claimOfBundles(from, bundles), entries: bundles.length }
  if (manifest.layers.some((layer) => layer.mediaType === mediaTypes.simpleSigning))
    return { layout: 'legacy-referrer', kind: 'signature', entries }
  if (manifest.layers.some((layer) => layer.mediaType === mediaTypes.envelope))
    return { layout: 'legacy-referrer', kind: 'attestation', entries }
  return { layout: 'referrer', kind: holdsSbom(manifest, type) ? 'sbom' : 'artifact', entries }
}

function holdsSbom(manifest: ImageManifest, type: string): boolean {
  return isSbomType(type) || manifest.layers.some((layer) => isSbomType(layer.mediaType))
}

/** A manifest with several bundles is what they all claim; a mixture is a signature where one of them is. */
async function claimOfBundles(from: RepositoryReader, layers: readonly Descriptor[]): Promise<CarriedAccessory['kind']> {
  const claims = await Promise.all(layers.map((layer) => claimOfBundle(from, layer)))
  for (const claim of ['signature', 'attestation'] as const) if (claims.includes(claim)) return claim
  return 'unreadable'
}

async function claimOfBundle(from: RepositoryReader, layer: Descriptor): Promise<ReturnType<typeof claimOf>> {
  const common = { origin: { layouts: [], manifest: layer.digest, blob: layer.digest }, mediaType: layer.mediaType, annotations: {} }
  let bytes: Uint8Array = new Uint8Array()
  try {
    bytes = await readAll(from.blob(layer), defaultDiscoveryLimits.maxBundleBytes, layer.digest, () => undefined)
    const entity = parseEntity(layer.mediaType, bytes, layer.annotations ?? {})
    return claimOf({ ...common, bytes, parsed: { ok: true, entity } })
  } catch (cause) {
    const failure: CountersignError = failureIn(cause)
    if (leavesOpen(failure)) throw failure
    return claimOf({ ...common, bytes, parsed: { ok: false, failure } })
  }
}
