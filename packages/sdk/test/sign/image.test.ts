import { type Digest, digestHex } from '@countersign/core/digest'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import type { ImageReference } from '@countersign/core/oci/reference'
import { parseStatement } from '@countersign/core/statement/statement'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import { attestImageIn, signImageIn } from '@countersign/sdk/sign/image'
import type { Repository } from '@countersign/sdk/registry/repository'
import type { SignatureLayout, SignEvent } from '@countersign/sdk/sign/requests'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { keyPolicy, pushImage, pushIndex, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const byTag: ImageReference = { place, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)

function both(repository: Repository): { images: Repository; signatures: Repository } {
  return { images: repository, signatures: repository }
}

const base = { image: byTag, recursive: false, upload: true, annotations: {}, layout: 'bundle' as SignatureLayout }

describe.each([
  ['a registry that lists referrers', { referrersApi: true }],
  ['a registry without referrers and without compare-and-swap', { referrersApi: false }],
  ['a registry without referrers that honours conditions', { referrersApi: false, conditions: true }],
])('on %s', (_name, options) => {
  it.each(['bundle', 'legacy', 'both'] as const)(
    'an image signed in the %s layout verifies with the key and with no other',
    async (layout) => {
      const repository = memoryRepository(options)
      const image = await pushImage(repository, 'hello', 'v1')
      const signer = testSigner()
      const [signed] = await signImageIn(both(repository), { ...base, signer, layout }, { nowMs })
      expect(signed?.reference).toBe(`memory.example/repo@${image.digest}`)
      expect(signed?.signatures.map((one) => one.alreadyThere)).toStrictEqual(layout === 'both' ? [false, false] : [false])
      const good = await verifyImageIn(both(repository), { image: byTag, policy: keyPolicy([signer]), nowMs })
      expect(good).toMatchObject({ ok: true, digest: image.digest, rejected: [], unreadable: [] })
      expect(good.accepted).toHaveLength(layout === 'both' ? 2 : 1)
      const bad = await verifyImageIn(both(repository), { image: byTag, policy: keyPolicy([testSigner()]), nowMs })
      expect(bad).toMatchObject({ ok: false, accepted: [], failure: { code: 'signer_untrusted' } })
    },
  )

  it.each(['bundle', 'legacy', 'both'] as const)('signing again in the %s layout finds the signature and adds none', async (layout) => {
    const repository = memoryRepository(options)
    const image = await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    await signImageIn(both(repository), { ...base, signer, layout }, { nowMs })
    const before = [...repository.manifests.keys()]
    const [again] = await signImageIn(both(repository), { ...base, signer, layout }, { nowMs: nowMs + 5_000 })
    expect(again?.signatures.every((one) => one.alreadyThere)).toBe(true)
    expect([...repository.manifests.keys()]).toStrictEqual(before)
    await signImageIn(both(repository), { ...base, signer, layout, annotations: { env: 'prod' } }, { nowMs })
    await signImageIn(both(repository), { ...base, signer: testSigner(), layout }, { nowMs })
    const { found } = await discoverSignatures(repository, image)
    expect(found).toHaveLength(layout === 'both' ? 6 : 3)
  })

  it('an attestation is found by its type and is not a signature', async () => {
    const repository = memoryRepository(options)
    await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    const predicate = utf8('{"big": 12345678901234567890, "b":1.10}')
    const source = { kind: 'predicate', predicateType: 'https://example.com/p/v1', predicate } as const
    for (const layout of ['bundle', 'legacy'] as const) {
      await attestImageIn(both(repository), { ...base, signer, source, layout, replace: false }, { nowMs })
    }
    const policy = keyPolicy([signer], { kind: 'attestation', predicateType: 'https://example.com/p/v1' })
    const good = await verifyImageIn(both(repository), { image: byTag, policy, nowMs })
    expect(good.accepted).toHaveLength(2)
    const [content] = good.accepted.map((one) => one.evidence.content)
    expect(content?.kind === 'statement' && fromUtf8(content.payload)).toContain('{"big": 12345678901234567890, "b":1.10}')
    const signature = await verifyImageIn(both(repository), { image: byTag, policy: keyPolicy([signer]), nowMs })
    expect(signature.failure).toMatchObject({ code: 'no_signature' })
    expect(signature.failure?.detail).toContain('2 attestations are there and do not count')
    const other = keyPolicy([signer], { kind: 'attestation', predicateType: 'https://example.com/q/v1' })
    expect((await verifyImageIn(both(repository), { image: byTag, policy: other, nowMs })).failure?.code).toBe('predicate_mismatch')
  })
})

describe('signing', () => {
  it('says to which digest a tag was resolved, and signs the digest as cosign does', async () => {
    const repository = memoryRepository()
    const image = await pushImage(repository, 'hello', 'v1')
    const events: SignEvent[] = []
    const signer = testSigner()
    const request = { ...base, signer, annotations: { env: 'prod', app: 'x' }, onEvent: (event: SignEvent) => events.push(event) }
    const [signed] = await signImageIn(both(repository), request, { nowMs })
    expect(events[0]).toStrictEqual({ kind: 'resolved', reference: 'memory.example/repo:v1', digest: image.digest })
    expect(events.map((event) => event.kind)).toStrictEqual(['resolved', 'signed', 'written'])
    const bundle = JSON.parse(fromUtf8(signed?.signatures[0]?.bytes ?? new Uint8Array())) as { dsseEnvelope: { payload: string } }
    expect(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString()).toBe(
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${digestHex(image.digest)}"},"annotations":{"app":"x","env":"prod"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`,
    )
    const manifest = repository.manifests.get(signed?.signatures[0]?.manifest ?? image.digest)
    expect(JSON.parse(fromUtf8(manifest?.bytes ?? new Uint8Array()))).toMatchObject({
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      subject: { digest: image.digest },
      annotations: { 'org.opencontainers.image.created': '2026-11-20T00:00:00Z' },
    })
  })

  it('does nothing for an image that does not exist, by tag or by digest', async () => {
    const repository = memoryRepository()
    const image = await pushImage(memoryRepository(), 'elsewhere')
    for (const reference of [byTag, { place, digest: image.digest }]) {
      const signing = signImageIn(both(repository), { ...base, image: reference, signer: testSigner() }, { nowMs })
      await expect(signing).rejects.toMatchObject({ code: 'artifact_not_found' })
      const verification = await verifyImageIn(both(repository), { image: reference, policy: keyPolicy([testSigner()]), nowMs })
      expect(verification.failure?.code).toBe('artifact_not_found')
    }
    expect(repository.manifests.size).toBe(0)
  })

  it('signs every manifest of a nested index and the index itself, each once', async () => {
    const repository = memoryRepository()
    const [one, two] = [await pushImage(repository, 'one'), await pushImage(repository, 'two')]
    const inner = await pushIndex(repository, [one, two])
    const outer = await pushIndex(repository, [inner, one], 'v1')
    const signed = await signImageIn(both(repository), { ...base, recursive: true, signer: testSigner() }, { nowMs })
    expect(new Set(signed.map(({ subject }) => subject.digest))).toStrictEqual(
      new Set([outer, inner, one, two].map(({ digest }) => digest)),
    )
  })

  it('signs an index last: one that is signed lists nothing unsigned, wherever the writer dies', async () => {
    const digests = async (repository: Repository): Promise<Digest[]> => {
      const [one, two] = [await pushImage(repository, 'one'), await pushImage(repository, 'two')]
      const outer = await pushIndex(repository, [await pushIndex(repository, [one, two]), one], 'v1')
      return [outer, one, two].map(({ digest }) => digest)
    }
    for (let write = 1, died = true; died; write++) {
      const repository = memoryRepository()
      const [outer, ...images] = await digests(repository)
      const faulty = faultyRepository(repository, { write, when: 'after' })
      const signing = signImageIn(both(faulty.repository), { ...base, recursive: true, signer: testSigner() }, { nowMs })
      died = await signing.then(
        () => false,
        () => true,
      )
      const isSigned = async (digest: Digest): Promise<boolean> => (await discoverSignatures(repository, { digest })).found.length > 0
      const state = { index: await isSigned(outer as Digest), images: await Promise.all(images.map(isSigned)) }
      expect(state.index ? state.images : died, `dead at write ${write}`).toStrictEqual(state.index ? [true, true] : true)
    }
  })

  it('uploads nothing when told so, and gives the bytes', async () => {
    const repository = memoryRepository()
    await pushImage(repository, 'hello', 'v1')
    const before = repository.manifests.size
    const [signed] = await signImageIn(both(repository), { ...base, layout: 'both', upload: false, signer: testSigner() }, { nowMs })
    expect(repository.manifests.size).toBe(before)
    expect(signed?.signatures.map(({ layout, manifest }) => [layout, manifest])).toStrictEqual([
      ['bundle', undefined],
      ['legacy', undefined],
    ])
  })

  it('keeps signatures in another repository when asked to, under the name of the image', async () => {
    const images = memoryRepository()
    const signatures = memoryRepository({ name: 'memory.example/signatures' })
    await pushImage(images, 'hello', 'v1')
    const before = images.manifests.size
    const signer = testSigner()
    const [signed] = await signImageIn({ images, signatures }, { ...base, layout: 'legacy', signer }, { nowMs })
    expect(images.manifests.size).toBe(before)
    expect(fromUtf8(signed?.signatures[0]?.bytes ?? new Uint8Array())).toContain('"docker-reference":"memory.example/repo"')
    expect((await verifyImageIn({ images, signatures }, { image: byTag, policy: keyPolicy([signer]), nowMs })).ok).toBe(true)
  })

  it.each(['P-384', 'P-521', 'ed25519', 'rsa'] as const)('verifies what a %s key signed, in both layouts', async (type) => {
    const repository = memoryRepository()
    await pushImage(repository, 'hello', 'v1')
    const signer = testSigner(type)
    await signImageIn(both(repository), { ...base, layout: 'both', signer }, { nowMs })
    const verified = await verifyImageIn(both(repository), { image: byTag, policy: keyPolicy([signer]), nowMs })
    expect(verified.accepted).toHaveLength(2)
  })
})

describe('attesting', () => {
  it('signs a statement verbatim, if it names the image', async () => {
    const repository = memoryRepository()
    const image = await pushImage(repository, 'hello', 'v1')
    const statement = utf8(
      `{ "_type":"https://in-toto.io/Statement/v1", "subject":[{"digest":{"sha256":"${digestHex(image.digest)}"}}],"predicateType":"https://example.com/p","predicate":{"x":1.0}}`,
    )
    const request = { ...base, signer: testSigner(), replace: false }
    await attestImageIn(both(repository), { ...request, source: { kind: 'statement', statement } }, { nowMs })
    const { found } = await discoverSignatures(repository, image)
    const [content] = found.map(({ parsed }) => (parsed.ok ? parsed.entity.content : undefined))
    expect(content?.kind === 'dsse' && content.envelope.payload).toStrictEqual(statement)
    const other = utf8(fromUtf8(statement).replace(digestHex(image.digest), '0'.repeat(64)))
    await expect(
      attestImageIn(both(repository), { ...request, source: { kind: 'statement', statement: other } }, { nowMs }),
    ).rejects.toMatchObject({ code: 'subject_mismatch' })
  })

  it('refuses to attest with the predicate type of signatures: every verifier of signatures would accept it', async () => {
    const repository = memoryRepository()
    await pushImage(repository, 'hello', 'v1')
    const source = { kind: 'predicate', predicateType: 'https://sigstore.dev/cosign/sign/v1', predicate: utf8('{}') } as const
    const attesting = attestImageIn(both(repository), { ...base, signer: testSigner(), replace: false, source }, { nowMs })
    await expect(attesting).rejects.toMatchObject({ code: 'usage' })
  })

  it('replaces earlier legacy attestations of the same type and keeps the others', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const image = await pushImage(repository, 'hello', 'v1')
    const signer = testSigner()
    const attest = async (predicateType: string, text: string, replace: boolean): Promise<void> => {
      const source = { kind: 'predicate', predicateType, predicate: utf8(text) } as const
      await attestImageIn(both(repository), { ...base, layout: 'legacy', signer, replace, source }, { nowMs })
    }
    await attest('https://example.com/a', '{"n":1}', false)
    await attest('https://example.com/b', '{"n":2}', false)
    await attest('https://example.com/a', '{"n":3}', true)
    await attest('https://example.com/c', '{"n":4}', false)
    const { found } = await discoverSignatures(repository, image)
    const predicates = found.map(({ parsed }) => {
      const content = parsed.ok ? parsed.entity.content : undefined
      const statement = content?.kind === 'dsse' ? parseStatement(content.envelope.payload) : undefined
      return fromUtf8(statement?.predicateBytes ?? new Uint8Array())
    })
    expect(predicates.toSorted()).toStrictEqual(['{"n":2}', '{"n":3}', '{"n":4}'])
  })
})
