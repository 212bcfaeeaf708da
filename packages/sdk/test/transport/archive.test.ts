import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { createArchive } from '@countersign/sdk/layout/archive-writer'
import { createRegistryRun } from '@countersign/sdk/open-repository'
import type { Repository } from '@countersign/sdk/registry/repository'
import { finishArchive, readArchiveContent, type TrustFile } from '@countersign/sdk/transport/archive'
import { copyImage } from '@countersign/sdk/transport/copy'
import { openDestination } from '@countersign/sdk/transport/destination'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSample, fillSample, type Sample } from './sample.ts'

let folder: string
let file: string
let sample: Sample
let fingerprint: Digest
const trust: readonly TrustFile[] = [
  { role: 'policy', name: 'policy.yaml', bytes: utf8('kind: ArtifactPolicy\n') },
  { role: 'public-key', name: 'cosign.pub', bytes: utf8('-----BEGIN PUBLIC KEY-----\n') },
]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-archive-'))
  file = join(folder, 'a.tar')
  const source = memoryRepository({})
  sample = await fillSample(source)
  const archive = await createArchive(file)
  await copyImage({ images: source, signatures: source }, async () => archive.repository, { image: { tag: 'v1' }, tag: 'v1' })
  fingerprint = await finishArchive(archive, [{ name: 'registry.example/app:v1', digest: sample.index.digest }], trust)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** An archive of these entries, as anybody could make it. */
async function tar(entries: readonly (readonly [string, string | Uint8Array, 'symlink'?])[]): Promise<string> {
  const made = pack()
  for (const [name, content, type] of entries) {
    if (type === undefined) made.entry({ name }, Buffer.from(content))
    else made.entry({ name, type, linkname: String(content) })
  }
  made.finalize()
  const parts: Buffer[] = []
  for await (const part of made as AsyncIterable<Buffer>) parts.push(part)
  const path = join(folder, `hostile-${createHash('sha256').update(Buffer.concat(parts)).digest('hex').slice(0, 16)}.tar`)
  await writeFile(path, Buffer.concat(parts))
  return path
}

function digestOf(content: string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

const index = '{"schemaVersion":2,"manifests":[]}'
const layout = [
  ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
  ['index.json', index],
] as const
const indexEntry = { path: 'index.json', role: 'index', digest: digestOf(index), size: index.length }

function list(...files: readonly object[]): readonly [string, string] {
  return ['countersign-archive.json', JSON.stringify({ schema: 'countersign-archive/1', images: [], files: [indexEntry, ...files] })]
}

describe('an archive', () => {
  it('says what it holds, image and trust, and is an image layout to everybody else', async () => {
    const content = await readArchiveContent(file)
    expect(content).toStrictEqual({
      fingerprint,
      index: expect.stringMatching(/^sha256:/),
      images: [{ name: 'registry.example/app:v1', digest: sample.index.digest }],
      trust,
    })
    await expectSample(await createRegistryRun({ environment: {} }).open({ kind: 'archive', file }), 'v1', sample)
  })

  it('is the one whose fingerprint is known, or content_altered', async () => {
    expect((await readArchiveContent(file, fingerprint))?.fingerprint).toBe(fingerprint)
    const other = parseDigest(`sha256:${'0'.repeat(64)}`) as Digest
    await expect(readArchiveContent(file, other)).rejects.toMatchObject({ code: 'content_altered' })
    await expect(readArchiveContent(await tar(layout), fingerprint)).rejects.toMatchObject({ code: 'content_altered' })
    expect(await readArchiveContent(await tar(layout))).toBeUndefined()
  })

  it('attack: a blob changed inside the archive is content_altered, and never reaches the destination', async () => {
    const bytes = await readFile(file)
    const at = bytes.indexOf('arm64')
    bytes[at] = (bytes[at] as number) ^ 1
    const path = join(folder, 'flipped.tar')
    await writeFile(path, bytes)
    const images = await createRegistryRun({ environment: {} }).open({ kind: 'archive', file: path })
    const destination = memoryRepository({})
    const copy = copyImage({ images, signatures: images }, async () => destination, { image: {}, tag: 'v1' })
    await expect(copy).rejects.toMatchObject({ code: 'content_altered' })
    expect(destination.tagged.has('v1')).toBe(false)
  })

  it('attack: a medium that hands out another archive once the fingerprint was checked has nothing of it carried', async () => {
    const checked = await readArchiveContent(file, fingerprint)
    const swapped = join(folder, 'swapped.tar')
    await writeFile(swapped, await readFile(file))
    const images = await createRegistryRun({ environment: {}, archiveIndex: checked?.index as Digest }).open({
      kind: 'archive',
      file: swapped,
    })
    await expectSample(images, 'v1', sample)
    await writeFile(swapped, await readFile(await tar(layout)))
    const other = await createRegistryRun({ environment: {}, archiveIndex: checked?.index as Digest }).open({
      kind: 'archive',
      file: swapped,
    })
    const destination = memoryRepository({})
    const copy = copyImage({ images: other, signatures: other }, async () => destination, { image: { tag: 'v1' }, tag: 'v1' })
    await expect(copy).rejects.toMatchObject({ code: 'content_altered' })
    expect(destination.tagged.size).toBe(0)
  })

  it('attack: it is content_altered also where the destination has what the blob was before', async () => {
    const bytes = await readFile(file)
    const at = bytes.indexOf('arm64')
    const run = createRegistryRun({ environment: {} })
    const place = { kind: 'layout', directory: join(folder, 'full') } as const
    const into = async (): Promise<Repository> => (await openDestination(run, place, false)).repository
    const whole = await run.open({ kind: 'archive', file })
    await copyImage({ images: whole, signatures: whole }, into, { image: {}, tag: 'v1' })
    bytes[at] = (bytes[at] as number) ^ 1
    const path = join(folder, 'flipped-later.tar')
    await writeFile(path, bytes)
    const images = await run.open({ kind: 'archive', file: path })
    const copy = copyImage({ images, signatures: images }, into, { image: {}, tag: 'v1' })
    await expect(copy).rejects.toMatchObject({ code: 'content_altered' })
    run.close()
  })

  it('attack: trust changed inside the archive, or swapped with its list, does not have the fingerprint', async () => {
    const evil = 'kind: AnybodyMaySign\n'
    const listed = { path: 'trust/policy.yaml', role: 'policy', digest: digestOf(evil), size: evil.length }
    const swapped = await tar([...layout, ['trust/policy.yaml', evil], list(listed)])
    await expect(readArchiveContent(swapped, fingerprint)).rejects.toMatchObject({ code: 'content_altered' })
    const changed = await tar([...layout, ['trust/policy.yaml', evil], list({ ...listed, digest: digestOf('kind: Other\n') })])
    await expect(readArchiveContent(changed)).rejects.toMatchObject({ code: 'content_altered' })
    const missing = await tar([...layout, list(listed)])
    await expect(readArchiveContent(missing)).rejects.toMatchObject({ code: 'content_altered' })
  })

  it.each(['trust/../../etc/passwd', '../policy.yaml', '/etc/passwd', 'trust/a/b', 'trust/.bashrc', 'trust/', 'index.json'])(
    'attack: a list that names %s as trust is refused',
    async (path) => {
      const named = await tar([...layout, list({ path, role: 'policy', digest: digestOf('x'), size: 1 })])
      await expect(readArchiveContent(named)).rejects.toMatchObject({ code: 'layout_malformed' })
    },
  )

  it.each([
    ['climbs', [['trust/../../evil', 'x']], 'layout_escape'],
    ['is a link', [['trust/policy.yaml', '/etc/passwd', 'symlink']], 'layout_escape'],
    [
      'occurs twice',
      [
        ['trust/policy.yaml', 'a'],
        ['trust/policy.yaml', 'b'],
      ],
      'layout_malformed',
    ],
  ] as const)('attack: an entry beside the layout that %s is refused', async (_name, entries, code) => {
    await expect(readArchiveContent(await tar([...layout, ...entries]))).rejects.toMatchObject({ code })
  })

  it('attack: a file of trust of gigabytes is never read', async () => {
    const large = 'x'.repeat(4 * 1024 * 1024 + 1)
    const listed = { path: 'trust/policy.yaml', role: 'policy', digest: digestOf(large), size: large.length }
    await expect(readArchiveContent(await tar([...layout, ['trust/policy.yaml', large], list(listed)]))).rejects.toMatchObject({
      code: 'limit_exceeded',
    })
  })

  it('with the same content is the same bytes: nothing of this machine is in it', async () => {
    const write = async (path: string): Promise<Buffer> => {
      const archive = await createArchive(path)
      await archive.repository.putBlob(utf8('blob'))
      await finishArchive(archive, [], trust)
      return readFile(path)
    }
    expect(await write(join(folder, 'one.tar'))).toStrictEqual(await write(join(folder, 'two.tar')))
  })

  it('streams large blobs, several at the same time', async () => {
    const archive = await createArchive(join(folder, 'large.tar'))
    const parts = async function* (fill: number): AsyncIterable<Uint8Array> {
      for (let at = 0; at < 64; at++) yield new Uint8Array(128 * 1024).fill(fill)
    }
    const blobs = [1, 2, 3].map((fill) => {
      const bytes = new Uint8Array(8 * 1024 * 1024).fill(fill)
      return { fill, digest: parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`) as Digest, size: bytes.length }
    })
    await Promise.all(blobs.map(async ({ fill, ...blob }) => archive.repository.carrier?.putStream(blob, () => parts(fill))))
    await archive.finish()
    const read = await createRegistryRun({ environment: {} }).open({ kind: 'archive', file: join(folder, 'large.tar') })
    for (const { digest, size } of blobs) {
      let length = 0
      for await (const part of read.blob({ digest, size })) length += part.length
      expect(length).toBe(size)
    }
  })

  it('that is given up leaves nothing', async () => {
    const archive = await createArchive(join(folder, 'given-up.tar'))
    await archive.repository.putBlob(utf8('blob'))
    await archive.abandon()
    await expect(readFile(join(folder, 'given-up.tar'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('takes trust under plain names alone', async () => {
    const archive = await createArchive(join(folder, 'names.tar'))
    const bad = { role: 'policy', name: '../policy.yaml', bytes: utf8('') } as const
    await expect(finishArchive(archive, [], [bad])).rejects.toMatchObject({ code: 'usage' })
    await archive.abandon()
  })
})
