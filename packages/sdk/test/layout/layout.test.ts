import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { utf8 } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArchiveRepository } from '../../src/layout/archive-repository.ts'
import { openLayoutRepository } from '../../src/layout/layout-repository.ts'
import type { Repository } from '../../src/registry/repository.ts'
import { writeTarOf, type TarEntry } from './tar.ts'

const manifestType = 'application/vnd.oci.image.manifest.v1+json'
const emptyConfig = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf(utf8('{}')), size: 2 }

const saved = join(vectorsFolder() ?? '', 'cosign-3.1.1')

let folder: string
let layout: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layout-'))
  layout = join(folder, 'layout')
  await mkdir(join(layout, 'blobs', 'sha256'), { recursive: true })
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  await writeFile(join(layout, 'index.json'), '{"schemaVersion":2,"manifests":[]}')
})
afterEach(() => rm(folder, { recursive: true }))

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`) as Digest
}

function blobPath(digest: Digest): string {
  return join(layout, 'blobs', 'sha256', digest.slice(7))
}

function imageBytes(more: Readonly<Record<string, unknown>> = {}): Uint8Array {
  return utf8(JSON.stringify({ schemaVersion: 2, mediaType: manifestType, config: emptyConfig, layers: [], ...more }))
}

async function writeImage(repository: Repository, tag: string, more: Readonly<Record<string, unknown>> = {}): Promise<Digest> {
  await repository.putBlob(utf8('{}'))
  const bytes = imageBytes(more)
  await repository.putManifest({ tag }, bytes, manifestType)
  return digestOf(bytes)
}

async function drain(blob: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of blob) parts.push(part)
  return Buffer.concat(parts).toString()
}

async function entriesOfIndex(): Promise<readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[]> {
  return (JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: [] }).manifests
}

describe('a layout is not created by accident', () => {
  it('a folder that does not exist, or is no layout, is refused', async () => {
    await expect(openLayoutRepository(join(folder, 'none'))).rejects.toMatchObject({ code: 'file_not_found' })
    await expect(openLayoutRepository(folder)).rejects.toMatchObject({ code: 'layout_malformed' })
    await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}')
    await expect(openLayoutRepository(layout)).rejects.toMatchObject({ code: 'layout_malformed' })
  })

  it.each(['garbage', '{"schemaVersion":2,"manifests":[{}]}', '[]', '{"schemaVersion":2,"layers":[],"config":{}}'])(
    'an index.json that is %s is malformed',
    async (content) => {
      await writeFile(join(layout, 'index.json'), content)
      const repository = await openLayoutRepository(layout)
      await expect(repository.manifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'layout_malformed' })
    },
  )

  it('a tag that names two manifests is malformed', async () => {
    const repository = await openLayoutRepository(layout)
    await writeImage(repository, 'v1')
    await writeImage(repository, 'v2', { annotations: { two: '2' } })
    const content = await readFile(join(layout, 'index.json'), 'utf8')
    await writeFile(join(layout, 'index.json'), content.replace('"v2"', '"v1"'))
    await expect(repository.manifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'layout_malformed' })
  })
})

describe('a layout from elsewhere does not lead out of itself', () => {
  it('by a blob that is a symbolic link', async () => {
    const repository = await openLayoutRepository(layout)
    const secret = utf8('a file of this machine')
    await writeFile(join(folder, 'secret'), secret)
    await symlink(join(folder, 'secret'), blobPath(digestOf(secret)))
    const blob = { digest: digestOf(secret), size: secret.length }
    await expect(drain(repository.blob(blob))).rejects.toMatchObject({ code: 'layout_escape' })
  })

  it('by a folder of blobs that is a symbolic link', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    await cp(join(layout, 'blobs'), join(folder, 'elsewhere'), { recursive: true })
    await rm(join(layout, 'blobs'), { recursive: true })
    await symlink(join(folder, 'elsewhere'), join(layout, 'blobs'))
    await expect(repository.manifest({ digest })).rejects.toMatchObject({ code: 'layout_escape' })
    await expect(repository.referrers(digest)).rejects.toMatchObject({ code: 'layout_escape' })
  })

  it('by an index.json that is a symbolic link', async () => {
    const repository = await openLayoutRepository(layout)
    await cp(join(layout, 'index.json'), join(folder, 'index.json'))
    await rm(join(layout, 'index.json'))
    await symlink(join(folder, 'index.json'), join(layout, 'index.json'))
    await expect(repository.manifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'layout_escape' })
  })

  it('and a named pipe in place of a blob does not make a reader wait for ever', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = digestOf(utf8('x'))
    await promisify(execFile)('mkfifo', [blobPath(digest)])
    await expect(drain(repository.blob({ digest, size: 1 }))).rejects.toMatchObject({ code: 'layout_malformed' })
  })
})

describe('attack: a layout from elsewhere', () => {
  it.each([
    ['is a link to a device without end', async (path: string): Promise<void> => symlink('/dev/zero', path), 'layout_escape'],
    ['is a pipe', async (path: string): Promise<void> => void (await promisify(execFile)('mkfifo', [path])), 'layout_malformed'],
    ['is a folder', async (path: string): Promise<void> => mkdir(path), 'layout_malformed'],
  ])('whose lock %s does not keep a writer waiting', async (_name, plant, code) => {
    await plant(join(layout, 'index.json.lock'))
    const repository = await openLayoutRepository(layout)
    await expect(writeImage(repository, 'v1')).rejects.toMatchObject({ code })
  })

  it('whose folder of blobs is a file cannot be read, which is a failure of the platform', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    await writeFile(join(layout, 'blobs', 'sha512'), 'no folder')
    await expect(repository.referrers(digest)).rejects.toMatchObject({ code: 'layout_malformed' })
  })

  it('whose folder of blobs is a link is not deleted from', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    await cp(join(layout, 'blobs', 'sha256'), join(folder, 'outside'), { recursive: true })
    await rm(join(layout, 'blobs', 'sha256'), { recursive: true })
    await symlink(join(folder, 'outside'), join(layout, 'blobs', 'sha256'))
    await expect(repository.deleteManifest({ digest })).rejects.toMatchObject({ code: 'layout_escape' })
    expect(await readdir(join(folder, 'outside'))).toContain(digest.slice(7))
  })
})

describe('content that was altered is refused', () => {
  it('a manifest and a blob', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    await writeFile(blobPath(digest), imageBytes().with(20, 0x20))
    await expect(repository.manifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'content_altered' })
    await writeFile(blobPath(emptyConfig.digest), '[]')
    await expect(drain(repository.blob(emptyConfig))).rejects.toMatchObject({ code: 'content_altered' })
  })

  it('and put right when the content is written again', async () => {
    const repository = await openLayoutRepository(layout)
    await writeFile(blobPath(emptyConfig.digest), '[]')
    await repository.putBlob(utf8('{}'))
    expect(await drain(repository.blob(emptyConfig))).toBe('{}')
  })

  it('a blob that a manifest names and the layout lacks is malformed, not absent', async () => {
    const repository = await openLayoutRepository(layout)
    await expect(drain(repository.blob(emptyConfig))).rejects.toMatchObject({ code: 'layout_malformed' })
  })

  it('a manifest that its descriptor calls something else', async () => {
    const repository = await openLayoutRepository(layout)
    await writeImage(repository, 'v1')
    const content = await readFile(join(layout, 'index.json'), 'utf8')
    await writeFile(join(layout, 'index.json'), content.replace('image.manifest', 'image.index'))
    await expect(repository.manifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'layout_malformed' })
  })
})

describe('referrers of a layout', () => {
  it('are found whether index.json lists them or not, and new ones are listed without a tag', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    const subject = { mediaType: manifestType, digest, size: 1 }
    const listed = imageBytes({ subject, artifactType: 'a/b' })
    await repository.putManifest({ digest: digestOf(listed) }, listed, manifestType)
    const dangling = imageBytes({ subject, annotations: { dangling: 'yes' } })
    await writeFile(blobPath(digestOf(dangling)), dangling)
    const answer = await repository.referrers(digest)
    expect(answer.kind === 'listed' && answer.manifests.map((found) => found.digest).toSorted()).toEqual(
      [digestOf(listed), digestOf(dangling)].toSorted(),
    )
    expect((await entriesOfIndex()).map((entry) => entry.annotations)).toEqual([{ 'org.opencontainers.image.ref.name': 'v1' }, undefined])
  })

  it('that were altered are told apart from none: whoever reads them is refused', async () => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    const referrer = imageBytes({ subject: { mediaType: manifestType, digest, size: 1 } })
    await writeFile(blobPath(digestOf(utf8('other'))), referrer)
    const answer = await repository.referrers(digest)
    expect(answer.kind === 'listed' ? answer.manifests : []).toHaveLength(1)
    await expect(repository.manifest({ digest: digestOf(utf8('other')) })).rejects.toMatchObject({ code: 'content_altered' })
  })

  it.each([
    ['a byte was added', async (path: string) => appendFile(path, ' '), 'content_altered'],
    ['it no longer looks like JSON', async (path: string) => writeFile(path, 'x'), 'content_altered'],
    ['it was deleted', async (path: string) => rm(path), 'layout_malformed'],
  ] as const)('attack: a signature that index.json lists is not made to look as if it never was: %s', async (_how, spoil, code) => {
    const repository = await openLayoutRepository(layout)
    const digest = await writeImage(repository, 'v1')
    const referrer = imageBytes({ subject: { mediaType: manifestType, digest, size: 1 } })
    await repository.putManifest({ digest: digestOf(referrer) }, referrer, manifestType)
    await spoil(blobPath(digestOf(referrer)))
    const again = await openLayoutRepository(layout)
    const answer = await again.referrers(digest)
    expect(answer.kind === 'listed' ? answer.manifests.map((found) => found.digest) : []).toEqual([digestOf(referrer)])
    await expect(again.manifest({ digest: digestOf(referrer) })).rejects.toMatchObject({ code })
    expect((await again.soleImage?.())?.digest).toBe(digest)
  })

  it.skipIf(vectorsFolder() === undefined)('that cosign saved as blobs which nothing lists are found', async () => {
    const repository = await openLayoutRepository(join(saved, 'save-layout-new'))
    const image = parseDigest('sha256:2954597f44bcee9797d08a20b8377c7bf61ba3e45bd0a423f00f333978a94343') as Digest
    const answer = await repository.referrers(image)
    expect(answer.kind === 'listed' ? answer.manifests.map(({ artifactType }) => artifactType) : []).toEqual(
      Array.from({ length: 2 }, () => 'application/vnd.dev.sigstore.bundle.v0.3+json'),
    )
    const tags = []
    for await (const tag of repository.tags()) tags.push(tag)
    expect(tags).toEqual([`sha256-${image.slice(7)}.sig`, `sha256-${image.slice(7)}.att`])
  })

  it.skipIf(vectorsFolder() === undefined)('and legacy signatures that cosign saved have their tag again', async () => {
    const repository = await openLayoutRepository(join(saved, 'save-layout-legacy'))
    const tag = 'sha256-0122dd5f6f9f8793faedba8279f4051c3448038ac0c5019696e56836d708e910.sig'
    expect((await repository.manifest({ tag }))?.digest).toBe('sha256:fb3f735e012f6df2bc6a5e45642fb52a2ffdc2ab937fd759b14117a0b2b85385')
  })
})

describe('a layout named without tag and digest', () => {
  it('means its one image, whatever else refers to that', async () => {
    const repository = await openLayoutRepository(layout)
    expect(await repository.soleImage?.()).toBeUndefined()
    const digest = await writeImage(repository, 'v1')
    const referrer = imageBytes({ subject: { mediaType: manifestType, digest, size: 1 } })
    await repository.putManifest({ digest: digestOf(referrer) }, referrer, manifestType)
    await writeImage(repository, `sha256-${digest.slice(7)}.sig`, { annotations: { a: 'signature' } })
    expect((await repository.soleImage?.())?.digest).toBe(digest)
  })

  it('means none of several', async () => {
    const repository = await openLayoutRepository(layout)
    await writeImage(repository, 'v1')
    await writeImage(repository, 'v2', { annotations: { two: '2' } })
    await expect(repository.soleImage?.()).rejects.toMatchObject({ code: 'usage', found: 'v1, v2' })
  })

  it.skipIf(vectorsFolder() === undefined).each(['save-layout-new', 'save-layout-legacy'])(
    'means the image that cosign saved (%s)',
    async (name) => {
      const repository = await openLayoutRepository(join(saved, name))
      expect((await repository.soleImage?.())?.annotations?.['kind']).toBe('dev.cosignproject.cosign/image')
    },
  )
})

describe('writers of one layout', () => {
  it('lose nothing of each other, and leave no lock and no half file', async () => {
    const writers = await Promise.all(Array.from({ length: 4 }, () => openLayoutRepository(layout)))
    const tags = Array.from({ length: 20 }, (_, at) => `tag-${at}`)
    await Promise.all(tags.map((tag, at) => writeImage(writers[at % 4] as Repository, tag, { annotations: { tag } })))
    const found = (await entriesOfIndex()).map((entry) => entry.annotations?.['org.opencontainers.image.ref.name'] ?? '')
    expect(found.toSorted()).toEqual(tags.toSorted())
    expect((await readdir(layout)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout'])
    expect((await readdir(join(layout, 'blobs', 'sha256'))).filter((name) => name.includes('.'))).toEqual([])
  })

  it('are not held up by one that died', async () => {
    const dead = JSON.stringify({ pid: 2 ** 22 + 1, host: (await import('node:os')).hostname(), id: 'x' })
    await writeFile(join(layout, 'index.json.lock'), dead)
    const start = performance.now()
    await writeImage(await openLayoutRepository(layout), 'v1')
    expect(performance.now() - start).toBeLessThan(10_000)
    expect(await readdir(layout)).not.toContain('index.json.lock')
  })

  it('keep what others wrote into index.json', async () => {
    const content = { schemaVersion: 2, annotations: { mine: 'yes' }, 'com.example.unknown': [1], manifests: [] }
    await writeFile(join(layout, 'index.json'), JSON.stringify(content))
    await writeImage(await openLayoutRepository(layout), 'v1')
    expect(JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'))).toMatchObject({
      ...content,
      manifests: [{ mediaType: manifestType }],
    })
  })
})

async function tarOfLayout(more: readonly TarEntry[] = [], prefix = ''): Promise<string> {
  const file = join(folder, 'archive.tar')
  await writeTarOf(layout, file, more, prefix)
  return file
}

describe('an archive', () => {
  it.each(['', './'])('is read like the folder it was made of (names with prefix "%s")', async (prefix) => {
    const written = await openLayoutRepository(layout)
    const digest = await writeImage(written, 'v1')
    const referrer = imageBytes({ subject: { mediaType: manifestType, digest, size: 1 } })
    await written.putManifest({ digest: digestOf(referrer) }, referrer, manifestType)
    const repository = await openArchiveRepository(await tarOfLayout([], prefix))
    expect((await repository.manifest({ tag: 'v1' }))?.digest).toBe(digest)
    expect(await drain(repository.blob(emptyConfig))).toBe('{}')
    const answer = await repository.referrers(digest)
    expect(answer.kind === 'listed' ? answer.manifests.map((found) => found.digest) : []).toEqual([digestOf(referrer)])
    expect(await repository.manifest({ tag: 'v2' })).toBeUndefined()
  })

  it('is not written to', async () => {
    const repository = await openArchiveRepository(await tarOfLayout())
    await expect(repository.putBlob(utf8('x'))).rejects.toMatchObject({ code: 'archive_read_only' })
    await expect(repository.putManifest({ tag: 'v1' }, imageBytes(), manifestType)).rejects.toMatchObject({ code: 'archive_read_only' })
    await expect(repository.deleteManifest({ tag: 'v1' })).rejects.toMatchObject({ code: 'archive_read_only' })
  })

  it.each<readonly [string, TarEntry, string]>([
    ['a name that climbs', { name: 'blobs/../../etc/passwd', content: 'x' }, 'layout_escape'],
    ['an absolute name', { name: '/etc/passwd', content: 'x' }, 'layout_escape'],
    ['a symbolic link for a blob', { name: 'blobs/sha256/x', type: 'symlink', linkname: '/etc/passwd' }, 'layout_escape'],
    ['a hard link for a blob', { name: 'blobs/sha256/x', type: 'link', linkname: '/etc/passwd' }, 'layout_escape'],
    ['a second index.json', { name: 'index.json', content: '{}' }, 'layout_malformed'],
  ])('with %s is refused', async (_name, entry, code) => {
    await expect(openArchiveRepository(await tarOfLayout([entry]))).rejects.toMatchObject({ code })
  })

  it('that is compressed, cut short, no tar, or not there is refused', async () => {
    const file = await tarOfLayout()
    const bytes = await readFile(file)
    for (const content of [gzipSync(bytes), bytes.subarray(0, 700), Buffer.from('garbage'.repeat(200)), Buffer.alloc(0)]) {
      await writeFile(file, content)
      await expect(openArchiveRepository(file)).rejects.toMatchObject({ code: 'layout_malformed' })
    }
    await expect(openArchiveRepository(join(folder, 'none.tar'))).rejects.toMatchObject({ code: 'file_not_found' })
  })

  it('whose blob was altered is refused', async () => {
    await writeImage(await openLayoutRepository(layout), 'v1')
    await writeFile(blobPath(emptyConfig.digest), '[]')
    const repository = await openArchiveRepository(await tarOfLayout())
    await expect(drain(repository.blob(emptyConfig))).rejects.toMatchObject({ code: 'content_altered' })
  })
})
