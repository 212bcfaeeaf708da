/** Images whose signatures are stored wrong, each in one way. */
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { type MemoryRepository, memoryRepository, type MemoryRepositoryOptions, sha256Digest } from '@countersign/testkit/memory-repository'

export const image: ImageReference = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' }
export const nowMs: number = Date.UTC(2026, 10, 20)
export const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const indexType = 'application/vnd.oci.image.index.v1+json'

/** An index as a test reads and spoils it. */
type Index = { schemaVersion: number; mediaType: string; manifests: Descriptor[] }

/** An image with signatures, and ways to spoil how they are stored. */
export type SickImage = {
  readonly repository: MemoryRepository
  readonly subject: Descriptor
  readonly tag: string
  readonly signers: readonly Signer[]
  readonly sign: (layout?: SignatureLayout, signer?: Signer) => Promise<Signer>
  readonly index: () => Index
  /** Puts a document under a tag, whatever it is. */
  readonly put: (tag: string, document: unknown, mediaType?: string) => Digest
  /** Removes the tags that writers put, so that nothing but the shared document names a signature. */
  readonly dropWriterTags: () => void
}

/** An image with one signature in each of the layouts named. */
export async function sickImage(layouts: readonly SignatureLayout[], options: MemoryRepositoryOptions = {}): Promise<SickImage> {
  const repository = memoryRepository({ referrersApi: false, ...options })
  const subject = await pushImage(repository, 'hello', 'v1')
  const tag = subject.digest.replace(':', '-')
  const sign: SickImage['sign'] = async (layout = 'bundle', signer = testSigner()) => {
    const request = { image, signer, layout, recursive: false, upload: true, annotations: {} }
    await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
    return signer
  }
  const signers: Signer[] = []
  for (const layout of layouts) signers.push(await sign(layout))
  return {
    repository,
    subject,
    tag,
    signers,
    sign,
    index: () => JSON.parse(Buffer.from(repository.manifests.get(repository.tagged.get(tag) as Digest)?.bytes ?? []).toString()) as Index,
    put: (name, document, mediaType = indexType) => {
      const bytes = utf8(typeof document === 'string' ? document : JSON.stringify(document))
      const digest = sha256Digest(bytes)
      repository.manifests.set(digest, { bytes, mediaType })
      repository.tagged.set(name, digest)
      return digest
    },
    dropWriterTags: () => {
      for (const name of repository.tagged.keys()) if (/\.w[sa]?$/.test(name)) repository.tagged.delete(name)
    },
  }
}

/** Adds an attestation. */
export async function attest(
  { repository }: SickImage,
  layout: SignatureLayout,
  signer: Signer,
  predicateType = 'https://example.com/p',
): Promise<void> {
  const source = { kind: 'predicate', predicateType, predicate: utf8('{"ok":true}') } as const
  const request = { image, signer, source, layout, recursive: false, upload: true, replace: false } as const
  await attestImageIn({ images: repository, signatures: repository }, request, { nowMs })
}
