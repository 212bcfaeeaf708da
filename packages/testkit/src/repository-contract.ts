/**
 * What every `Repository` does, as tests: run over registries with and without the referrers API, over layout folders, and (its reading part) over
 * archives. Knows no test framework: the caller gives it `test`, or runs the cases itself.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { concatBytes, utf8 } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import type { Repository, WriteResult } from '@countersign/sdk/registry/repository'

/** The sentences of the contract; each is one test. */
export type ContractTest =
  | 'has no manifest under a tag or digest that was never written'
  | 'gives a blob back as it was put'
  | 'puts a blob twice as it puts it once'
  | 'streams an empty blob'
  | 'refuses a blob of another size than its descriptor says'
  | 'gives a manifest back by tag and by digest, with its media type'
  | 'resolves a tag to digest, size and media type'
  | 'moves a tag'
  | 'lists every tag'
  | 'refuses to store a manifest under the digest of another'
  | 'lists what refers to a subject, or says that it cannot'
  | 'writes only if the tag is new, when asked to'
  | 'writes only if the tag is as it was read, when asked to'
  | 'forgets a deleted manifest'

/** What a suite works on. */
export type ContractSubject = {
  /** A repository that is empty or holds other things, and what ends it. */
  readonly open: () => Promise<{ readonly repository: Repository; readonly close?: () => Promise<void> | void }>
  /** Tests that do not apply, each with the reason. */
  readonly skip?: readonly { readonly test: ContractTest; readonly reason: string }[]
}

/** One test: a sentence, and either what proves it or why it is skipped. */
export type ContractCase = { readonly name: ContractTest; readonly run: () => Promise<void>; readonly skipped: string | undefined }

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const configType = 'application/vnd.oci.empty.v1+json'

/** The contract as cases for any test framework. */
export function repositoryContract(subject: ContractSubject): readonly ContractCase[] {
  return (Object.keys(cases) as ContractTest[]).map((name) => ({
    name,
    skipped: subject.skip?.find(({ test }) => test === name)?.reason,
    run: async () => {
      const { repository, close } = await subject.open()
      try {
        await cases[name](repository)
      } finally {
        await close?.()
      }
    },
  }))
}

const cases: Readonly<Record<ContractTest, (repository: Repository) => Promise<void>>> = {
  'has no manifest under a tag or digest that was never written': async (repository) => {
    assert.equal(await repository.manifest({ tag: 'never-written' }), undefined)
    assert.equal(await repository.resolve({ tag: 'never-written' }), undefined)
    assert.equal(await repository.manifest({ digest: absent }), undefined)
    assert.equal(await repository.resolve({ digest: absent }), undefined)
  },
  'gives a blob back as it was put': async (repository) => {
    for (const size of [1, 70_000, 3_000_000]) {
      const bytes = randomBytes(size)
      const digest = await repository.putBlob(bytes)
      assert.ok(bytes.equals(await readAll(repository, digest, size)))
    }
  },
  'puts a blob twice as it puts it once': async (repository) => {
    const bytes = randomBytes(100)
    assert.equal(await repository.putBlob(bytes), await repository.putBlob(bytes))
    assert.ok(bytes.equals(await readAll(repository, await repository.putBlob(bytes), 100)))
  },
  'streams an empty blob': async (repository) => {
    const digest = await repository.putBlob(new Uint8Array())
    assert.equal((await readAll(repository, digest, 0)).length, 0)
  },
  'refuses a blob of another size than its descriptor says': async (repository) => {
    for (const size of [100, 2_000_000]) {
      const digest = await repository.putBlob(randomBytes(size))
      await refused('content_altered', readAll(repository, digest, size - 1))
      await refused('content_altered', readAll(repository, digest, size + 1))
    }
  },
  'gives a manifest back by tag and by digest, with its media type': async (repository) => {
    const { bytes, digest } = await putImage(repository, { tag: 'given' })
    for (const reference of [{ tag: 'given' }, { digest }]) {
      const stored = await repository.manifest(reference)
      assert.deepEqual(stored === undefined ? undefined : Buffer.from(stored.bytes), Buffer.from(bytes))
      assert.equal(stored?.mediaType, manifestType)
      assert.equal(stored?.digest, digest)
    }
  },
  'resolves a tag to digest, size and media type': async (repository) => {
    const { bytes, digest } = await putImage(repository, { tag: 'resolved' })
    const expected = { mediaType: manifestType, digest, size: bytes.length }
    assert.deepEqual({ ...(await repository.resolve({ tag: 'resolved' })) }, expected)
    assert.deepEqual({ ...(await repository.resolve({ digest })) }, expected)
  },
  'moves a tag': async (repository) => {
    await putImage(repository, { tag: 'moving' })
    const second = await putImage(repository, { tag: 'moving' })
    assert.equal((await repository.manifest({ tag: 'moving' }))?.digest, second.digest)
  },
  'lists every tag': async (repository) => {
    const names = ['b', 'a', 'A', 'c.1', 'z_9']
    for (const tag of names) await putImage(repository, { tag })
    const found: string[] = []
    for await (const tag of repository.tags()) found.push(tag)
    assert.deepEqual(found.filter((tag) => names.includes(tag)).toSorted(), names.toSorted())
  },
  'refuses to store a manifest under the digest of another': async (repository) => {
    const bytes = await imageBytes(repository)
    await refused('content_altered', repository.putManifest({ digest: absent }, bytes, manifestType))
    assert.equal(await repository.manifest({ digest: absent }), undefined)
  },
  'lists what refers to a subject, or says that it cannot': async (repository) => {
    const image = await putImage(repository, { tag: 'referred-to' })
    const before = await repository.referrers(image.digest)
    const accessories = []
    for (let i = 0; i < 3; i++) accessories.push(await putReferrer(repository, image))
    const answer = await repository.referrers(image.digest)
    for (const { result } of accessories) assert.equal(result.kind === 'written' && result.subjectListed, answer.kind === 'listed')
    assert.equal(before.kind, answer.kind)
    if (before.kind === 'unsupported' || answer.kind === 'unsupported') return
    assert.equal(before.manifests.length, 0)
    assert.deepEqual(answer.manifests.map(({ digest }) => digest).toSorted(), accessories.map(({ digest }) => digest).toSorted())
    for (const { artifactType, annotations } of answer.manifests) {
      assert.equal(artifactType, 'application/vnd.test.accessory')
      assert.equal(annotations?.['test'], 'yes')
    }
    const other = await repository.referrers(absent)
    assert.deepEqual(other.kind === 'listed' ? other.manifests : undefined, [])
  },
  'writes only if the tag is new, when asked to': async (repository) => {
    const bytes = await imageBytes(repository)
    const first = await repository.putManifest({ tag: 'once' }, bytes, manifestType, { kind: 'if_none_match' })
    assert.equal(first.kind, 'written')
    const second = await repository.putManifest({ tag: 'once' }, await imageBytes(repository), manifestType, { kind: 'if_none_match' })
    assert.equal(second.kind, 'precondition_failed')
    assert.deepEqual(Buffer.from((await repository.manifest({ tag: 'once' }))?.bytes ?? []), Buffer.from(bytes))
  },
  'writes only if the tag is as it was read, when asked to': async (repository) => {
    await putImage(repository, { tag: 'compared' })
    const etag = (await repository.manifest({ tag: 'compared' }))?.etag
    assert.ok(etag !== undefined)
    const condition = { kind: 'if_match', etag } as const
    const write = async (): Promise<WriteResult> =>
      repository.putManifest({ tag: 'compared' }, await imageBytes(repository), manifestType, condition)
    assert.equal((await write()).kind, 'written')
    assert.equal((await write()).kind, 'precondition_failed')
  },
  'forgets a deleted manifest': async (repository) => {
    const { digest } = await putImage(repository, { tag: 'deleted' })
    await repository.deleteManifest({ digest })
    assert.equal(await repository.manifest({ digest }), undefined)
    assert.equal(await repository.resolve({ tag: 'deleted' }), undefined)
    await repository.deleteManifest({ digest })
  },
}

const absent = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest

/** A blob, read to its end. */
async function readAll(repository: Repository, digest: Digest, size: number): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of repository.blob({ digest, size })) parts.push(part)
  return Buffer.from(concatBytes(...parts))
}

/** A small image, different each time, whose blobs are there. */
async function imageBytes(repository: Repository, more: Readonly<Record<string, unknown>> = {}): Promise<Uint8Array> {
  const layer = randomBytes(40)
  const layerDigest = await repository.putBlob(layer)
  const configDigest = await repository.putBlob(utf8('{}'))
  return utf8(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: configType, digest: configDigest, size: 2 },
      layers: [{ mediaType: 'application/octet-stream', digest: layerDigest, size: 40 }],
      ...more,
    }),
  )
}

type Written = { readonly bytes: Uint8Array; readonly digest: Digest; readonly result: WriteResult }

async function putImage(repository: Repository, reference: { readonly tag: string }): Promise<Written> {
  const bytes = await imageBytes(repository)
  const result = await repository.putManifest(reference, bytes, manifestType)
  assert.equal(result.kind, 'written')
  return { bytes, digest: result.digest, result }
}

async function putReferrer(repository: Repository, image: Written): Promise<Written> {
  const subject = { mediaType: manifestType, digest: image.digest, size: image.bytes.length }
  const more = { subject, artifactType: 'application/vnd.test.accessory', annotations: { test: 'yes' } }
  const bytes = await imageBytes(repository, more)
  // By digest, as signatures are stored.
  const digest = parseDigest(`sha256:${await sha256(bytes)}`) as Digest
  const result = await repository.putManifest({ digest }, bytes, manifestType)
  return { bytes, digest, result }
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const { createHash } = await import('node:crypto')
  return createHash('sha256').update(bytes).digest('hex')
}

async function refused(code: FailureCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof CountersignError && error.code === code)
}
