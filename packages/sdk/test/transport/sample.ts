/** An image of two platforms with something of every layout, for tests of what carries it. */
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { legacyTag } from '@countersign/core/oci/layouts'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { Repository } from '@countersign/sdk/registry/repository'
import { sha256Digest } from '@countersign/sdk/registry/verified-stream'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { keyPolicy, pushImage, pushIndex, testSigner } from '@countersign/testkit/image-fixture'
import { expect } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** What was put there. */
export type Sample = {
  readonly index: Descriptor
  readonly children: readonly [Descriptor, Descriptor]
  /** Two that signed the index in both layouts. */
  readonly signers: readonly Signer[]
  /** Signed the first child only, as a bundle, and attested it in both layouts. */
  readonly childSigner: Signer
  /** Signed the manifest of the index's first bundle: a signature on a signature. */
  readonly notary: Signer
  readonly bundle: Digest
}

/** The image as named in a repository. */
export function reference(tag: string): ImageReference {
  return { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag }
}

/** Fills a repository, under the tag `v1`. */
export async function fillSample(repository: Repository): Promise<Sample> {
  const children = [await pushImage(repository, 'amd64'), await pushImage(repository, 'arm64')] as const
  const index = await pushIndex(repository, children, 'v1')
  const repositories = { images: repository, signatures: repository }
  const [signers, childSigner, notary] = [[testSigner(), testSigner()], testSigner(), testSigner()]
  const common = { recursive: false, upload: true } as const
  let bundle: Digest | undefined
  for (const signer of signers) {
    const [signed] = await signImageIn(
      repositories,
      { ...common, image: reference('v1'), signer, layout: 'both', annotations: {} },
      { nowMs },
    )
    bundle ??= signed?.signatures.find(({ layout }) => layout === 'bundle')?.manifest
  }
  const child: ImageReference = { place: reference('v1').place, digest: children[0].digest }
  await signImageIn(repositories, { ...common, image: child, signer: childSigner, layout: 'bundle', annotations: {} }, { nowMs })
  const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
  await attestImageIn(repositories, { ...common, image: child, signer: childSigner, source, layout: 'both', replace: false }, { nowMs })
  const onBundle: ImageReference = { place: reference('v1').place, digest: bundle as Digest }
  await signImageIn(repositories, { ...common, image: onBundle, signer: notary, layout: 'bundle', annotations: {} }, { nowMs })
  await putSbom(repository, index.digest)
  return { index, children, signers, childSigner, notary, bundle: bundle as Digest }
}

async function putSbom(repository: Repository, subject: Digest): Promise<void> {
  const [config, layer] = [utf8('{"sbom":1}'), utf8('{"spdxVersion":"SPDX-2.3"}')]
  await Promise.all([repository.putBlob(config), repository.putBlob(layer)])
  const bytes = utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256Digest(config), size: config.length },
      layers: [{ mediaType: 'text/spdx+json', digest: sha256Digest(layer), size: layer.length }],
    }),
  )
  await repository.putManifest({ tag: legacyTag(subject, 'sbom') }, bytes, manifestType)
}

/** Expects everything of the sample under a tag, each signature in every layout that it had. */
export async function expectSample(repository: Repository, tag: string, sample: Sample): Promise<void> {
  const repositories = { images: repository, signatures: repository }
  const accepted = async (image: ImageReference, signer: Signer, kind: 'signature' | 'attestation'): Promise<number> => {
    const result = await verifyImageIn(repositories, { image, policy: keyPolicy([signer], { kind }), nowMs })
    expect(result.unreadable).toStrictEqual([])
    return result.accepted.length
  }
  const by = (digest: Digest): ImageReference => ({ place: reference(tag).place, digest })
  for (const signer of sample.signers) expect(await accepted(reference(tag), signer, 'signature')).toBe(2)
  expect(await accepted(by(sample.children[0].digest), sample.childSigner, 'signature')).toBe(1)
  expect(await accepted(by(sample.children[0].digest), sample.childSigner, 'attestation')).toBe(2)
  expect(await accepted(by(sample.bundle), sample.notary, 'signature')).toBe(1)
  expect(await repository.resolve({ tag: legacyTag(sample.index.digest, 'sbom') })).toBeDefined()
  expect(await repository.resolve({ digest: sample.children[1].digest })).toBeDefined()
}
