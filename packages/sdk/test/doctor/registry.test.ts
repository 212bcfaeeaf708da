import { generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { bytesToBase64 } from '@countersign/core/base64'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { buildSignatureStatement } from '@countersign/core/statement/statement'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { examineSignatures } from '@countersign/sdk/doctor/examine'
import { repairSignatures } from '@countersign/sdk/doctor/repair'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { Repository } from '@countersign/sdk/registry/repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import { writeBundle } from '@countersign/sdk/write/bundle-writer'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { startTestRegistry, type TestRegistry } from '@countersign/testkit/registry/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
let registry: TestRegistry

beforeEach(async () => {
  registry = await startTestRegistry({ referrers: false })
})
afterEach(() => registry.stop())

const open = async (): Promise<Repository> =>
  createRegistryRun({ environment: {} }).open({ kind: 'registry', registry: registry.host, repository: 'app' })

const signed = async (layout: 'bundle' | 'legacy'): Promise<{ repository: Repository; subject: Digest }> => {
  const repository = await open()
  const { digest } = await pushImage(repository, 'hello', 'v1')
  const image = { place: { kind: 'registry', registry: registry.host, repository: 'app' }, tag: 'v1' } as const
  const request = { image, signer: testSigner(), layout, recursive: false, upload: true, annotations: {} }
  await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
  return { repository, subject: digest }
}

const codes = async (subject: Digest): Promise<readonly string[]> =>
  (await examineSignatures(await open(), subject, true)).findings.map(({ code }) => code)

describe('in a registry', () => {
  it.each(['bundle', 'legacy'] as const)('a %s whose blob is lost is found as that, not as a registry that fails', async (layout) => {
    const { repository, subject } = await signed(layout)
    const { gathered } = await examineSignatures(repository, subject, true)
    const read = layout === 'bundle' ? [...gathered.referrers.values()][0] : gathered.sig
    const blob = read?.kind === 'read' ? read.layers[0]?.descriptor.digest : undefined
    registry.fault({ match: { method: 'GET', path: new RegExp(`blobs/${blob}`) }, action: { kind: 'status', status: 404 } })
    expect(new Set(await codes(subject))).toEqual(new Set(['blob_missing']))
  })

  it('a registry that throttles leaves the question open', async () => {
    const { subject } = await signed('bundle')
    registry.fault({ match: { method: 'GET', path: /manifests\/sha256:/ }, action: { kind: 'status', status: 403 } })
    const { gathered } = await examineSignatures(await open(), subject, true)
    expect(gathered.unreadable.map(({ code }) => code)).toContain('registry_unauthorized')
  })

  it('a bundle that names its key, which cosign refuses, is written again without the name', async () => {
    const repository = await open()
    const subject = await pushImage(repository, 'hello', 'v1')
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const payload = buildSignatureStatement(subject.digest.slice(7), {})
    const type = 'application/vnd.in-toto+json'
    const sig = signBytes('sha256', preAuthEncoding(type, payload), privateKey).toString('base64')
    const bundle = utf8(
      JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: { publicKey: {} },
        dsseEnvelope: { payload: bytesToBase64(payload), payloadType: type, signatures: [{ sig, keyid: 'mine' }] },
      }),
    )
    const parts = { subject, bundle, predicateType: 'https://sigstore.dev/cosign/sign/v1', created: '2026-01-01T00:00:00Z' }
    await writeBundle(repository, parts)
    const before = await examineSignatures(await open(), subject.digest, true)
    expect(before.findings.map(({ code }) => code)).toEqual(['envelope_key_id'])
    const { after } = await repairSignatures(await open(), before, { nowMs })
    expect(after.findings).toEqual([])
    const texts = [...after.gathered.referrers.values()].flatMap((read) =>
      read.kind === 'read' ? read.layers.flatMap((layer) => (layer.kind === 'entity' ? [fromUtf8(layer.bytes)] : [])) : [],
    )
    expect(texts.map((text) => text.includes('keyid'))).toContain(false)
  })

  it('a legacy signature that is a referrer, where podman does not look, is put under .sig too', async () => {
    const { repository, subject } = await signed('legacy')
    const tag = `${subject.replace(':', '-')}.sig`
    const stored = await repository.manifest({ tag })
    const manifest = JSON.parse(fromUtf8(stored?.bytes ?? new Uint8Array())) as { layers: unknown[] }
    const config = utf8('{}')
    await repository.putBlob(config)
    const about = { mediaType: 'application/vnd.dev.cosign.artifact.sig.v1+json', digest: sha256Digest(config), size: 2 }
    const image = await repository.resolve({ digest: subject })
    const referrer = utf8(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: about,
        layers: manifest.layers,
        subject: image,
      }),
    )
    const digest = sha256Digest(referrer)
    await repository.putManifest({ digest }, referrer, 'application/vnd.oci.image.manifest.v1+json')
    const entry = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: referrer.length, artifactType: about.mediaType }
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [entry] }
    await repository.putManifest({ tag: subject.replace(':', '-') }, utf8(JSON.stringify(index)), index.mediaType)
    expect(await codes(subject)).toEqual([])
    await repository.deleteManifest({ tag })
    const tags: string[] = []
    for await (const name of repository.tags()) if (name.endsWith('.ws')) tags.push(name)
    for (const name of tags) await repository.deleteManifest({ tag: name })
    const before = await examineSignatures(await open(), subject, true)
    expect(before.findings.map(({ code }) => code)).toEqual(['legacy_hidden'])
    expect((await repairSignatures(await open(), before, { nowMs })).after.findings).toEqual([])
    expect(await repository.resolve({ tag })).toBeDefined()
  })
})
