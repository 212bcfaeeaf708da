/** `spoil-index HOST/REPOSITORY:TAG`: rewrites the fallback index of an image as cosign 3.1 does, with wrong artifact types and no annotations. */
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { fallbackTag, mediaTypes } from '@countersign/core/oci/layouts'
import { parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun } from '@countersign/sdk/open-repository'

const image = parseReference(process.argv[2] ?? '')
const run = createRegistryRun({ environment: {} })
const repository = await run.open(image.place)
const subject = await repository.resolve({ tag: image.tag ?? 'latest' })
const tag = subject === undefined ? '' : fallbackTag(subject.digest)
const stored = await repository.manifest({ tag })
if (stored === undefined) throw new CountersignError('artifact_not_found', 'the image has no fallback index')
const index = JSON.parse(fromUtf8(stored.bytes)) as { manifests: { mediaType: string; digest: string; size: number }[] }
const manifests = index.manifests.map(({ mediaType, digest, size }) => ({ mediaType, digest, size, artifactType: mediaTypes.ociEmpty }))
await repository.putManifest({ tag }, utf8(JSON.stringify({ ...index, manifests })), mediaTypes.ociIndex)
run.close()
