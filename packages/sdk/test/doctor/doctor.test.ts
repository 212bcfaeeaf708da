import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { examineSignatures } from '@countersign/sdk/doctor/examine'
import { repairSignatures } from '@countersign/sdk/doctor/repair'
import { signImageIn } from '@countersign/sdk/sign/image'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { Repository } from '@countersign/sdk/registry/repository'
import type { Signer } from '@countersign/sdk/sign/signer'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'
import { image, manifestType, nowMs, type SickImage, sickImage } from './sick-image.ts'

const codesOf = async ({ repository, subject }: SickImage): Promise<readonly string[]> => {
  const { findings, gathered } = await examineSignatures(repository, subject.digest, true)
  expect(gathered.unreadable).toEqual([])
  return findings.map(({ code }) => code)
}

const repair = async ({ repository, subject }: SickImage, through = repository as Parameters<typeof repairSignatures>[0]) =>
  repairSignatures(through, await examineSignatures(repository, subject.digest, true), { nowMs })

const accepted = async ({ repository }: SickImage, signers: readonly Signer[]): Promise<number> => {
  const repositories = { images: repository, signatures: repository }
  return (await verifyImageIn(repositories, { image, policy: keyPolicy(signers), nowMs })).accepted.length
}

/** A bundle manifest with another type, as `oras attach` with a wrong flag, or another tool, writes it. */
function retyped(sick: SickImage, change: (manifest: Record<string, unknown>) => void): Digest {
  const [entry] = sick.index().manifests
  const manifest = JSON.parse(Buffer.from(sick.repository.manifests.get(entry?.digest as Digest)?.bytes ?? []).toString()) as Record<
    string,
    unknown
  >
  change(manifest)
  const bytes = utf8(JSON.stringify(manifest))
  const digest = sha256Digest(bytes)
  sick.repository.manifests.delete(entry?.digest as Digest)
  sick.repository.manifests.set(digest, { bytes, mediaType: manifestType })
  sick.put(sick.tag, { ...sick.index(), manifests: [{ mediaType: manifestType, digest, size: bytes.length }] })
  sick.dropWriterTags()
  return digest
}

/** Each way in which an image is sick: how it comes about, what is found, and how many signatures must verify after the repair. */
const diseases: readonly (readonly [string, readonly ('bundle' | 'legacy')[], (sick: SickImage) => void, readonly string[], number])[] = [
  [
    'entries as cosign 3.1 writes them',
    ['bundle', 'bundle'],
    (sick) => {
      const manifests = sick.index().manifests.map(({ mediaType, digest, size }) => {
        return { mediaType, digest, size, artifactType: 'application/vnd.oci.empty.v1+json' }
      })
      sick.put(sick.tag, { ...sick.index(), manifests })
    },
    ['fallback_entry_wrong', 'fallback_entry_wrong'],
    2,
  ],
  [
    'an index that a slower writer overwrote',
    ['bundle', 'bundle'],
    (sick) => sick.put(sick.tag, { ...sick.index(), manifests: sick.index().manifests.slice(1) }),
    ['fallback_entry_missing'],
    2,
  ],
  ['a lost index', ['bundle', 'bundle'], (sick) => sick.repository.tagged.delete(sick.tag), ['fallback_index_missing'], 2],
  [
    'the image itself in place of the index, as cosign copy leaves it',
    ['bundle'],
    (sick) => sick.repository.tagged.set(sick.tag, sick.subject.digest),
    ['fallback_index_malformed', 'fallback_entry_missing'],
    1,
  ],
  [
    'an index with an entry that is none',
    ['bundle', 'bundle'],
    (sick) => {
      const index = sick.index()
      sick.put(sick.tag, { ...index, manifests: [...index.manifests, { mediaType: 'x', digest: 'sha256:short', size: 1 }] })
      sick.dropWriterTags()
    },
    ['fallback_index_malformed'],
    2,
  ],
  [
    'an entry that exists twice',
    ['bundle'],
    (sick) => sick.put(sick.tag, { ...sick.index(), manifests: [...sick.index().manifests, ...sick.index().manifests] }),
    ['fallback_entry_duplicate'],
    1,
  ],
  [
    'an entry whose manifest is not there',
    ['bundle'],
    (sick) => {
      const gone = { mediaType: manifestType, digest: `sha256:${'0'.repeat(64)}` as Digest, size: 10 }
      sick.put(sick.tag, { ...sick.index(), manifests: [...sick.index().manifests, gone] })
    },
    ['fallback_entry_dangling'],
    1,
  ],
  [
    'a bundle of the artifact type of an empty config',
    ['bundle'],
    (sick) => void retyped(sick, (manifest) => void (manifest['artifactType'] = 'application/vnd.oci.empty.v1+json')),
    ['fallback_entry_wrong', 'bundle_type_wrong'],
    1,
  ],
  [
    'a bundle without an artifact type',
    ['bundle'],
    (sick) => void retyped(sick, (manifest) => delete manifest['artifactType']),
    ['fallback_entry_wrong', 'bundle_type_wrong'],
    1,
  ],
  [
    'a legacy signature that is under its writer’s tag alone',
    ['legacy'],
    (sick) => sick.repository.tagged.delete(`${sick.tag}.sig`),
    ['writer_tag_unmerged'],
    1,
  ],
]

describe('an image that is healthy', () => {
  it.each([false, true])('has no findings (referrers API: %s), and its repair writes nothing', async (referrersApi) => {
    const sick = await sickImage(['bundle', 'bundle'], { referrersApi })
    expect(await codesOf(sick)).toEqual([])
    const watched = faultyRepository(sick.repository, { write: Infinity, when: 'before' })
    await repair(sick, watched.repository)
    expect(watched.writes()).toBe(0)
  })

  it('is told that its signatures of two layouts are seen by different tools', async () => {
    const sick = await sickImage(['bundle', 'legacy'])
    const { findings } = await examineSignatures(sick.repository, sick.subject.digest, true)
    expect(findings).toMatchObject([{ code: 'layouts_mixed', severity: 'info', automatic: false }])
  })
})

describe('the doctor', () => {
  it.each(diseases)('finds and repairs %s', async (_name, layouts, infect, codes, signatures) => {
    const sick = await sickImage(layouts)
    infect(sick)
    expect(await codesOf(sick)).toEqual(codes)
    const { repaired, after, failures } = await repair(sick)
    expect(failures).toEqual([])
    expect(after.findings).toEqual([])
    expect(repaired.map(({ code }) => code)).toEqual(codes)
    expect(await accepted(sick, sick.signers)).toBe(signatures)
  })

  it('keeps what stood under the fallback tag and was no index', async () => {
    const sick = await sickImage(['bundle'])
    const foreign = sick.put(sick.tag, '"a text"', 'application/vnd.oci.image.index.v1+json')
    await repair(sick)
    const kept = [...sick.repository.tagged].filter(([tag]) => tag.endsWith('.replaced'))
    expect(kept.map(([, digest]) => digest)).toEqual([foreign])
  })

  it('has a registry that has learnt the referrers API list what was in the index alone', async () => {
    const sick = await sickImage(['bundle', 'bundle'])
    let listed: readonly Descriptor[] = []
    const learnt: SickImage = {
      ...sick,
      repository: {
        ...sick.repository,
        referrers: () => Promise.resolve({ kind: 'listed', manifests: listed }),
        putManifest: async (...args) => {
          if ('digest' in args[0]) listed = sick.index().manifests
          return sick.repository.putManifest(...args)
        },
      },
    }
    expect(await codesOf(learnt)).toEqual(['referrer_unlisted', 'referrer_unlisted'])
    const { after } = await repair(learnt)
    expect(after.findings).toEqual([])
  })

  it.each([
    ['an empty bundle', '', 'signature_empty'],
    ['a bundle that does not parse', '{"mediaType":"x"}', 'bundle_unusable'],
  ])('finds %s, and does not touch it', async (_name, content, code) => {
    const sick = await sickImage(['bundle'])
    const bytes = utf8(content)
    const digest = sha256Digest(bytes)
    sick.repository.blobs.set(digest, bytes)
    retyped(sick, (manifest) => {
      manifest['layers'] = [{ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', digest, size: bytes.length }]
    })
    expect(await codesOf(sick)).toEqual(['fallback_entry_wrong', code])
    expect((await repair(sick)).after.findings.map((found) => found.code)).toEqual([code])
  })

  it('finds a bundle without layers, and one whose subject is another', async () => {
    const empty = await sickImage(['bundle'])
    retyped(empty, (manifest) => void (manifest['layers'] = []))
    expect(await codesOf(empty)).toContain('signature_empty')
    const foreign = await sickImage(['bundle'])
    retyped(foreign, (manifest) => void (manifest['subject'] = { mediaType: manifestType, digest: `sha256:${'1'.repeat(64)}`, size: 1 }))
    expect(await codesOf(foreign)).toEqual(['referrer_foreign'])
  })

  it('finds a signature of another image among those of this one', async () => {
    const [sick, other] = [await sickImage(['bundle']), await sickImage([])]
    const stranger = await pushImage(other.repository, 'another image', 'v2')
    const request = {
      image: { ...image, tag: 'v2' },
      signer: testSigner(),
      layout: 'bundle',
      recursive: false,
      upload: true,
      annotations: {},
    } as const
    await signImageIn({ images: other.repository, signatures: other.repository }, request, { nowMs })
    const [digest, bytes] = [...other.repository.blobs].find(([, blob]) => Buffer.from(blob).includes('dsseEnvelope')) ?? []
    sick.repository.blobs.set(digest as Digest, bytes ?? new Uint8Array())
    retyped(sick, (manifest) => {
      manifest['layers'] = [{ mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', digest, size: bytes?.length }]
    })
    const { findings } = await examineSignatures(sick.repository, sick.subject.digest, true)
    expect(findings.map(({ code, detail }) => `${code} ${detail}`)).toContain(`signature_foreign it names ${stranger.digest}`)
  })

  it('finds content that was changed, as what it is', async () => {
    const sick = await sickImage(['bundle'])
    const [digest, bytes] = [...sick.repository.blobs].find(([, blob]) => Buffer.from(blob).includes('dsseEnvelope')) ?? []
    sick.repository.blobs.set(digest as Digest, new Uint8Array(bytes ?? []).fill(32, 0, 4))
    expect(await codesOf(sick)).toEqual(['content_altered'])
  })

  it.each([
    ['no JSON', '"text"', 'legacy_tag_malformed'],
    ['an index', '{"schemaVersion":2,"manifests":[]}', 'legacy_tag_malformed'],
    ['a manifest without layers', undefined, 'signature_empty'],
  ])('finds a tag .sig that holds %s', async (_name, document, code) => {
    const sick = await sickImage(['legacy'])
    const stored = sick.repository.manifests.get(sick.repository.tagged.get(`${sick.tag}.sig`) as Digest)
    const empty = { ...(JSON.parse(Buffer.from(stored?.bytes ?? []).toString()) as object), layers: [] }
    sick.dropWriterTags()
    sick.put(`${sick.tag}.sig`, document ?? empty, document?.includes('manifests') === true ? undefined : manifestType)
    expect(await codesOf(sick)).toEqual([code])
    expect((await repair(sick)).after.findings.map((found) => found.code)).toEqual([code])
  })

  it('finds signatures of an image that is not there', async () => {
    const sick = await sickImage(['bundle'])
    const { findings } = await examineSignatures(sick.repository, sick.subject.digest, false)
    expect(findings.map(({ code }) => code)).toEqual(['subject_missing'])
  })

  it('attack: an index of more entries than are read is not called healthy, and its repair drops none of them', async () => {
    const sick = await sickImage(['bundle'])
    const size = 10
    const many = Array.from({ length: 6_000 }, (_, at) => ({
      mediaType: manifestType,
      digest: `sha256:${at.toString(16).padStart(64, '0')}` as Digest,
      size,
    }))
    sick.put(sick.tag, { ...sick.index(), manifests: [...many, ...sick.index().manifests] })
    const { gathered } = await examineSignatures(sick.repository, sick.subject.digest, true)
    expect(gathered.unreadable).toMatchObject([{ code: 'limit_exceeded' }])
    await repair(sick)
    expect(await accepted(sick, sick.signers)).toBe(1)
  })

  it('calls nothing healthy that it could not read', async () => {
    const sick = await sickImage(['bundle'])
    const { gathered } = await examineSignatures(
      {
        ...sick.repository,
        tags: async function* () {
          yield* await Promise.reject<string[]>(new CountersignError('registry_throttled', 'wait'))
        },
      },
      sick.subject.digest,
      true,
    )
    expect(gathered.unreadable).toMatchObject([{ code: 'registry_throttled' }])
  })
})

describe('a repair', () => {
  it.each(diseases)(
    'that dies at any write loses nothing of %s, and the next one completes it',
    async (_name, layouts, infect, _codes, signatures) => {
      const measured = await sickImage(layouts)
      infect(measured)
      const healthy = faultyRepository(measured.repository, { write: Infinity, when: 'before' })
      await repair(measured, healthy.repository)
      for (let write = 1; write <= healthy.writes(); write++) {
        for (const when of ['before', 'after'] as const) {
          const sick = await sickImage(layouts)
          infect(sick)
          const before = await accepted(sick, sick.signers)
          await repair(sick, faultyRepository(sick.repository, { write, when }).repository).catch(() => undefined)
          expect(await accepted(sick, sick.signers)).toBeGreaterThanOrEqual(before)
          expect((await repair(sick)).after.findings).toEqual([])
          expect(await accepted(sick, sick.signers)).toBe(signatures)
        }
      }
    },
  )

  it('whose write lands after that of a signer who has finished puts the signature of that signer back', async () => {
    const sick = await sickImage(['bundle', 'bundle'])
    diseases[0]?.[2](sick)
    let late: Signer | undefined
    const slow: Repository = {
      ...sick.repository,
      putManifest: async (...args) => {
        if ('tag' in args[0] && args[0].tag === sick.tag && late === undefined) {
          late = testSigner()
          await sick.sign('bundle', late)
        }
        return sick.repository.putManifest(...args)
      },
    }
    await repair(sick, slow)
    expect(sick.index().manifests).toHaveLength(3)
  })

  it('keeps what somebody without a tag of their own, such as cosign, listed since the examination', async () => {
    const sick = await sickImage(['bundle'])
    diseases[0]?.[2](sick)
    const before = await examineSignatures(sick.repository, sick.subject.digest, true)
    await sick.sign()
    sick.dropWriterTags()
    await repairSignatures(sick.repository, before, { nowMs })
    expect(sick.index().manifests).toHaveLength(2)
  })

  it.each([false, true])('beside eight signers loses none of their signatures (compare-and-swap: %s)', async (conditions) => {
    for (let round = 0; round < 5; round++) {
      const sick = await sickImage(['bundle', 'bundle'], { conditions, latencyMs: () => Math.random() * 3 })
      diseases[0]?.[2](sick)
      const signers = Array.from({ length: 8 }, () => testSigner())
      await Promise.all([repair(sick), ...signers.map((signer) => sick.sign('bundle', signer)), repair(sick)])
      expect(sick.index().manifests).toHaveLength(10)
      expect(await accepted(sick, [...sick.signers, ...signers])).toBe(10)
    }
  })
})
