import { utf8 } from '@countersign/core/bytes'
import { digestHex } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import { writerTag } from '@countersign/sdk/discover/writer-tag'
import type { Repository } from '@countersign/sdk/registry/repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import { pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, type MemoryRepository, sha256Digest } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const image = { place: { kind: 'registry', registry: 'memory.example', repository: 'repo' }, tag: 'v1' } as const
const nowMs = Date.UTC(2026, 10, 20)
const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const merge = { pause: () => Promise.resolve() }

async function sign(repository: Repository, layout: 'bundle' | 'legacy', signer = testSigner()): Promise<Descriptor['digest']> {
  const request = { image, signer, layout, recursive: false, upload: true, annotations: {} }
  const [signed] = await signImageIn({ images: repository, signatures: repository }, request, { nowMs, merge })
  return signed?.signatures[0]?.manifest as Descriptor['digest']
}

async function put(repository: Repository, tag: string, mediaType: string, value: object): Promise<Descriptor['digest']> {
  const bytes = utf8(JSON.stringify(value))
  await repository.putManifest({ tag }, bytes, mediaType)
  return sha256Digest(bytes)
}

function entriesUnder(repository: MemoryRepository, tag: string): readonly Descriptor[] {
  const index = repository.manifests.get(repository.tagged.get(tag) ?? ('' as never))
  return (JSON.parse(new TextDecoder().decode(index?.bytes)) as { manifests: Descriptor[] }).manifests
}

describe('a fallback tag or .sig tag that holds something else is never overwritten', () => {
  const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: sha256Digest(utf8('{}')), size: 2 }
  const malformed = { schemaVersion: 2, mediaType: indexType, manifests: 'no' }
  const anImage = { schemaVersion: 2, mediaType: manifestType, config, layers: [] }
  const anIndex = { schemaVersion: 2, mediaType: indexType, manifests: [] }

  it.each([
    ['bundle', '', 'what does not parse', indexType, malformed],
    ['bundle', '', 'an image', manifestType, anImage],
    ['bundle', '', 'an image of schema 1', 'application/vnd.docker.distribution.manifest.v1+json', { schemaVersion: 1 }],
    ['legacy', '.sig', 'what does not parse', indexType, malformed],
    ['legacy', '.sig', 'an index', indexType, anIndex],
    ['legacy', '.sig', 'an image of schema 1', 'application/vnd.docker.distribution.manifest.v1+json', { schemaVersion: 1 }],
  ] as const)('%s%s: %s', async (layout, suffix, _what, mediaType, value) => {
    const repository = memoryRepository({ referrersApi: false })
    const subject = await pushImage(repository, 'hello', 'v1')
    await repository.putBlob(utf8('{}'))
    const tag = `sha256-${digestHex(subject.digest)}${suffix}`
    const there = await put(repository, tag, mediaType, value)
    await expect(sign(repository, layout)).rejects.toMatchObject({ code: 'manifest_malformed' })
    expect(repository.tagged.get(tag)).toBe(there)
  })
})

describe('the fallback index', () => {
  it('takes in nothing from a tag named like that of a writer that holds a referrer of another image', async () => {
    const repository = memoryRepository({ referrersApi: false })
    const subject = await pushImage(repository, 'hello', 'v1')
    await pushImage(repository, 'other', 'v2')
    const request = {
      image: { ...image, tag: 'v2' },
      signer: testSigner(),
      layout: 'bundle' as const,
      recursive: false,
      upload: true,
      annotations: {},
    }
    const [foreign] = await signImageIn({ images: repository, signatures: repository }, request, { nowMs, merge })
    const planted = foreign?.signatures[0]?.manifest as Descriptor['digest']
    repository.tagged.set(writerTag(subject.digest, 'bundle', planted), planted)
    const own = await sign(repository, 'bundle')
    expect(entriesUnder(repository, `sha256-${digestHex(subject.digest)}`).map(({ digest }) => digest)).toStrictEqual([own])
  })

  it('is written without conditions by a store that proves to honour them and then refuses every one', async () => {
    const inner = memoryRepository({ referrersApi: false, conditions: true })
    const subject = await pushImage(inner, 'hello', 'v1')
    const fallback = `sha256-${digestHex(subject.digest)}`
    const repository: Repository = {
      ...inner,
      putManifest: async (reference, bytes, mediaType, condition) =>
        condition !== undefined && 'tag' in reference && reference.tag === fallback
          ? { kind: 'precondition_failed' }
          : inner.putManifest(reference, bytes, mediaType, condition),
    }
    const own = await sign(repository, 'bundle')
    expect(entriesUnder(inner, fallback).map(({ digest }) => digest)).toStrictEqual([own])
    expect(inner.tagged.get(writerTag(subject.digest, 'bundle', own))).toBe(own)
  })

  it('is written under conditions alone, without a tag for the writer, where they are honoured', async () => {
    const repository = memoryRepository({ referrersApi: false, conditions: true })
    const subject = await pushImage(repository, 'hello', 'v1')
    await sign(repository, 'bundle')
    expect([...repository.tagged.keys()]).toStrictEqual(['v1', `sha256-${digestHex(subject.digest)}`])
  })

  it.each([
    ['ignores', undefined],
    ['rejects', 'write_rejected'],
  ] as const)(
    'is kept safe by a tag for the writer on a registry that %s If-None-Match, though it honours If-Match',
    async (_how, code) => {
      const inner = memoryRepository({ referrersApi: false, conditions: true })
      const subject = await pushImage(inner, 'hello', 'v1')
      const repository: Repository = {
        ...inner,
        putManifest: async (reference, bytes, mediaType, condition) => {
          if (condition?.kind !== 'if_none_match') return inner.putManifest(reference, bytes, mediaType, condition)
          if (code !== undefined) throw new CountersignError(code, 'what is this header?')
          return inner.putManifest(reference, bytes, mediaType)
        },
      }
      const own = await sign(repository, 'bundle')
      expect(inner.tagged.get(writerTag(subject.digest, 'bundle', own))).toBe(own)
      expect((await discoverSignatures(inner, subject)).found).toHaveLength(1)
    },
  )
})
