import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { createLayoutRepository } from '@countersign/sdk/layout/layout-repository'
import type { Carrier } from '@countersign/sdk/registry/repository'
import { pushImage } from '@countersign/testkit/image-fixture'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'countersign-layout-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function blobOf(text: string): { readonly digest: Digest; readonly size: number } {
  return { digest: parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`) as Digest, size: text.length }
}

async function* saying(...parts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const part of parts) yield utf8(part)
}

async function carrierIn(folder: string): Promise<Carrier> {
  return (await createLayoutRepository(folder)).carrier as Carrier
}

describe('a layout that is made to copy into', () => {
  it('is made where there is no folder, an empty one, or one whose making a crash ended', async () => {
    for (const [name, prepare] of [
      ['absent', async (): Promise<void> => undefined],
      ['empty', async (folder: string): Promise<void> => mkdir(folder)],
      ['begun', async (folder: string): Promise<void> => void (await mkdir(join(folder, 'blobs/sha256'), { recursive: true }))],
    ] as const) {
      const folder = join(root, name)
      await prepare(folder)
      await createLayoutRepository(folder)
      expect((await readdir(folder)).toSorted()).toStrictEqual(['blobs', 'index.json', 'oci-layout'])
    }
  })

  it('is never made of a folder with other things in it, nor of a damaged one', async () => {
    const folder = join(root, 'home')
    await mkdir(folder)
    await writeFile(join(folder, 'thesis.txt'), 'years of work')
    await expect(createLayoutRepository(folder)).rejects.toMatchObject({ code: 'layout_malformed' })
    expect(await readdir(folder)).toStrictEqual(['thesis.txt'])
    const damaged = join(root, 'damaged')
    await pushImage(await createLayoutRepository(damaged), 'hello', 'v1')
    await rm(join(damaged, 'index.json'))
    await expect((await createLayoutRepository(damaged)).resolve({ tag: 'v1' })).rejects.toMatchObject({ code: 'layout_malformed' })
    expect(existsSync(join(damaged, 'index.json'))).toBe(false)
  })
})

describe('a blob that is streamed into a layout', () => {
  it('is there as a whole, or not at all', async () => {
    const folder = join(root, 'streamed')
    const carrier = await carrierIn(folder)
    const wanted = blobOf('hello world')
    await expect(carrier.putStream(wanted, () => saying('hello ', 'earth'))).rejects.toMatchObject({ code: 'content_altered' })
    await expect(carrier.putStream(wanted, () => saying('hello '))).rejects.toMatchObject({ code: 'content_altered' })
    expect(await readdir(join(folder, 'blobs/sha256'))).toStrictEqual([])
    expect(await carrier.hasBlob(wanted)).toBe(false)
    await carrier.putStream(wanted, () => saying('hello ', 'world'))
    expect(await carrier.hasBlob(wanted)).toBe(true)
  })

  it('attack: a file under the name of a blob with another content is not that blob, and is written anew', async () => {
    const folder = join(root, 'spoilt')
    const carrier = await carrierIn(folder)
    const wanted = blobOf('hello world')
    const path = join(folder, 'blobs/sha256', wanted.digest.slice(7))
    for (const spoilt of ['hello earth', 'short']) {
      await writeFile(path, spoilt)
      expect(await carrier.hasBlob(wanted)).toBe(false)
    }
    await carrier.putStream(wanted, () => saying('hello world'))
    expect(await readFile(path, 'utf8')).toBe('hello world')
  })
})

describe('a manifest that is listed in a layout', () => {
  it('has one entry for each tag, and none without where it has one', async () => {
    const folder = join(root, 'listed')
    const repository = await createLayoutRepository(folder)
    const image = await pushImage(repository, 'hello')
    const other = await pushImage(repository, 'other')
    const list = repository.carrier?.list as NonNullable<Carrier['list']>
    const entries = async (): Promise<unknown> =>
      (JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as { manifests: { annotations?: object }[] }).manifests.map(
        ({ annotations }) => annotations ?? {},
      )
    await list(image, {})
    await list(image, {})
    expect(await entries()).toStrictEqual([{}])
    await list(image, { tag: 'v1', annotations: { kind: 'image' } })
    await list(image, { tag: 'v1', annotations: { kind: 'image' } })
    expect(await entries()).toStrictEqual([{ kind: 'image', 'org.opencontainers.image.ref.name': 'v1' }])
    await list(image, { tag: 'v2' })
    await list(other, { tag: 'v1' })
    await list(image, {})
    expect(await entries()).toStrictEqual([{ 'org.opencontainers.image.ref.name': 'v2' }, { 'org.opencontainers.image.ref.name': 'v1' }])
    expect((await repository.resolve({ tag: 'v1' }))?.digest).toBe(other.digest)
  })
})
