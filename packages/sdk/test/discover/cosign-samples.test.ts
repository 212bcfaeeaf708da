import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Digest } from '@countersign/core/digest'
import { parsePublicKey } from '@countersign/core/keys/public-key'
import { decodePem } from '@countersign/core/pem'
import type { ContentDemand, TrustedKey, VerifyPolicy } from '@countersign/core/verify/policy'
import { signImageIn } from '@countersign/sdk/sign/image'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { type MemoryRepository, sha256Digest } from '@countersign/testkit/memory-repository'
import { readRegistrySample } from '@countersign/testkit/registry-sample'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { describe, expect, it } from 'vitest'

const vectors = vectorsFolder()
const folder = join(vectors ?? '', 'cosign-3.1.1')
const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const nowMs = Date.UTC(2026, 10, 20, 12)

function trusted(...names: string[]): TrustedKey[] {
  return names.map((label) => {
    const [block] = decodePem(readFileSync(join(folder, 'keys', `${label}.pub`), 'utf8'))
    return { label, key: parsePublicKey(block?.bytes ?? new Uint8Array()) }
  })
}

function verify(repository: MemoryRepository, digest: Digest, content: ContentDemand, ...names: string[]): Promise<ImageVerification> {
  const policy: VerifyPolicy = { ...keyPolicy([], content), signer: { kind: 'keys', keys: trusted(...names) } }
  return verifyImageIn({ images: repository, signatures: repository }, { image: { place, digest }, policy, nowMs })
}

/** What each recorded registry holds: accepted signatures and attestations by the keys `cosign` and `other`. */
const samples = [
  ['all-in-one', 2, 2],
  ['attest-legacy', 0, 10],
  ['attest-new', 0, 10],
  ['legacy-oci11-experimental', 1, 0],
  ['legacy-sig', 3, 0],
  ['new-bundle-fallback-tag', 4, 0],
  ['registry-kid0', 1, 0],
] as const

describe.skipIf(vectors === undefined)('what cosign 3.1.1 wrote', () => {
  describe.each([true, false])('(referrers API: %s)', (referrersApi) => {
    it.each(samples)('%s: %i signatures and %i attestations', async (name, signatures, attestations) => {
      const { repository, subjects } = readRegistrySample(join(folder, name), { referrersApi })
      const [digest, ...others] = subjects
      expect(others).toStrictEqual([])
      for (const [kind, count, none] of [
        ['signature', signatures, 'no_signature'],
        ['attestation', attestations, 'no_attestation'],
      ] as const) {
        const result = await verify(repository, digest as Digest, { kind }, 'cosign', 'other')
        expect(result).toMatchObject({ ok: count > 0, rejected: [], unreadable: [] })
        expect(result.accepted).toHaveLength(count)
        expect(result.failure?.code).toBe(count > 0 ? undefined : none)
        const stranger = await verify(repository, digest as Digest, { kind }, 'nopw')
        expect(stranger.failure?.code).toBe(count > 0 ? 'signer_untrusted' : none)
      }
    })

    it.each(['legacy-sig-cert-tsa', 'registry-ncert'])('%s, made with a certificate, does not satisfy a key', async (name) => {
      const { repository, subjects } = readRegistrySample(join(folder, name), { referrersApi })
      const result = await verify(repository, subjects[0] as Digest, { kind: 'signature' }, 'cosign')
      expect(result).toMatchObject({ ok: false, failure: { code: 'signer_untrusted' } })
    })
  })

  it('is kept when we sign beside it: wrong descriptors of the fallback index are corrected, legacy layers stay in place', async () => {
    for (const [name, before, suffix] of [
      ['new-bundle-fallback-tag', 4, ''],
      ['legacy-sig', 3, '.sig'],
    ] as const) {
      const { repository, subjects } = readRegistrySample(join(folder, name), { referrersApi: false })
      const digest = subjects[0] as Digest
      const signer = testSigner()
      const request = { image: { place, digest }, signer, recursive: false, upload: true, annotations: {} }
      const layout = suffix === '' ? 'bundle' : 'legacy'
      await signImageIn({ images: repository, signatures: repository }, { ...request, layout }, { nowMs })
      expect((await verify(repository, digest, { kind: 'signature' }, 'cosign', 'other')).accepted).toHaveLength(before)
      const stored = repository.manifests.get(repository.tagged.get(`sha256-${digest.slice(7)}${suffix}`) as Digest)
      const document = JSON.parse(new TextDecoder().decode(stored?.bytes)) as { manifests?: { artifactType: string }[]; layers?: unknown[] }
      expect(document.manifests ?? document.layers).toHaveLength(before + 1)
      expect(
        new Set(document.manifests?.map((entry) => entry.artifactType) ?? ['application/vnd.dev.sigstore.bundle.v0.3+json']),
      ).toStrictEqual(new Set(['application/vnd.dev.sigstore.bundle.v0.3+json']))
    }
  })

  it('is not signed again by a key that has signed the same: cosign signed the same bytes', async () => {
    const { repository, subjects } = readRegistrySample(join(folder, 'new-bundle-fallback-tag'), { referrersApi: false })
    const { openSigner } = await import('@countersign/sdk/keys/file-signer')
    const signer = openSigner(readFileSync(join(folder, 'keys', 'cosign.key.decrypted-pkcs8.der')))
    const request = { image: { place, digest: subjects[0] as Digest }, signer, layout: 'bundle', recursive: false, upload: true } as const
    const [signed] = await signImageIn({ images: repository, signatures: repository }, { ...request, annotations: {} }, { nowMs })
    expect(signed?.signatures.map((one) => one.alreadyThere)).toStrictEqual([true])
  })

  it('is signed again for the tag .sig when cosign signed it in the experimental OCI 1.1 form only, where no cosign looks by default', async () => {
    const { repository, subjects } = readRegistrySample(join(folder, 'legacy-oci11-experimental'), { referrersApi: true })
    const digest = subjects[0] as Digest
    const { openSigner } = await import('@countersign/sdk/keys/file-signer')
    const signer = openSigner(readFileSync(join(folder, 'keys', 'cosign.key.decrypted-pkcs8.der')))
    const result = await verify(repository, digest, { kind: 'signature' }, 'cosign')
    const [content] = result.accepted.map((one) => one.evidence.content)
    const containerIdentity = content?.kind === 'simple-signing' ? content.dockerReference : ''
    const request = { image: { place, digest }, signer, layout: 'legacy', recursive: false, upload: true, annotations: {} } as const
    const [signed] = await signImageIn({ images: repository, signatures: repository }, { ...request, containerIdentity }, { nowMs })
    expect(signed?.signatures.map((one) => one.alreadyThere)).toStrictEqual([false])
    expect(repository.tagged.has(`sha256-${digest.slice(7)}.sig`)).toBe(true)
  })

  it('new-bundle-oci11: the referrer that cosign pushed to an OCI 1.1 registry verifies', async () => {
    const { repository, subjects } = readRegistrySample(join(folder, 'new-bundle-oci11'), { referrersApi: true })
    const manifest = readFileSync(join(folder, 'new-bundle-oci11', 'bundle_manifest.json'))
    const layer = readFileSync(join(folder, 'new-bundle-oci11', 'bundle_layer.json'))
    repository.manifests.set(sha256Digest(manifest), { bytes: manifest, mediaType: 'application/vnd.oci.image.manifest.v1+json' })
    repository.blobs.set(sha256Digest(layer), layer)
    expect(subjects).toStrictEqual([])
    const { subject } = JSON.parse(manifest.toString()) as { subject: { digest: Digest } }
    const result = await verify(repository, subject.digest, { kind: 'signature' }, 'cosign')
    expect(result.accepted.map((one) => one.origin.layouts)).toStrictEqual([['bundle-referrer']])
  })
})
