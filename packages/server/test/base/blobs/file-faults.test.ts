import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import type { BlobStore } from '@countersign/server/base/blobs/blob-store'
import { fileBlobs, type FileBlobOptions } from '@countersign/server/base/blobs/file-blobs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-blobs-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

type Step = Parameters<NonNullable<FileBlobOptions['step']>>[0]

async function names(blobs: BlobStore): Promise<readonly string[]> {
  const found: string[] = []
  for await (const name of blobs.list('')) found.push(name)
  return found
}

/** A store whose disk fails at one step, as long as `failing.code` is set. */
async function failingAt(step: Step) {
  const failing: { code?: string } = {}
  const blobs = await fileBlobs(folder, {
    step: (at) => {
      if (at === step && failing.code !== undefined) throw Object.assign(new Error('the disk failed'), { code: failing.code })
    },
  })
  return { blobs, failing }
}

describe('blobs in files, when the disk fails', () => {
  for (const step of ['write', 'sync', 'name'] as const) {
    it(`keeps the old bytes and no leftovers when it fails before "${step}"`, async () => {
      const { blobs, failing } = await failingAt(step)
      await blobs.put('a/b', utf8('old'))
      for (const code of ['ENOSPC', 'EIO', 'EROFS', 'EDQUOT']) {
        failing.code = code
        await expect(blobs.put('a/b', utf8('new'))).rejects.toMatchObject({ code: 'blob_store_failed', hint: expect.any(String) as string })
        await expect(blobs.create('a/c', utf8('new'))).rejects.toMatchObject({ code: 'blob_store_failed' })
      }
      expect(await blobs.get('a/b')).toEqual(utf8('old'))
      expect(await blobs.get('a/c')).toBeUndefined()
      delete failing.code
      expect(await blobs.create('a/c', utf8('new'))).toBe(true)
      expect(readdirSync(join(folder, '~new'))).toEqual([])
    })
  }

  it('does not confirm what the sync of the folder did not', async () => {
    const { blobs, failing } = await failingAt('sync-folder')
    failing.code = 'EIO'
    await expect(blobs.put('a', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(blobs.create('b', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
  })
})

describe('the folder of blobs', () => {
  it('is never made anew where it should be', async () => {
    await expect(fileBlobs(join(folder, 'gone'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    expect(existsSync(join(folder, 'gone'))).toBe(false)
  })

  it('loses the temporaries of writes that a crash interrupted', async () => {
    const blobs = await fileBlobs(folder)
    await blobs.put('a', utf8('x'))
    writeFileSync(join(folder, '~new', 'half'), 'half')
    const again = await fileBlobs(folder)
    expect(readdirSync(join(folder, '~new'))).toEqual([])
    expect(await names(again)).toEqual(['a'])
  })

  it('is not left through symbolic links', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'countersign-outside-'))
    writeFileSync(join(outside, 'secret'), 'secret')
    symlinkSync(outside, join(folder, 'folder'))
    symlinkSync(join(outside, 'secret'), join(folder, 'file'))
    const blobs = await fileBlobs(folder)
    await expect(blobs.get('folder/secret')).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(blobs.put('folder/new', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(blobs.remove('folder/secret')).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(blobs.get('file')).rejects.toMatchObject({ code: 'blob_store_failed' })
    expect(await names(blobs)).toEqual([])
    expect(readdirSync(outside)).toEqual(['secret'])
    rmSync(outside, { recursive: true })
  })

  it('may be a symbolic link itself: that is the choice of who runs the server', async () => {
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    const blobs = await fileBlobs(join(folder, 'link'))
    await blobs.put('a/b', utf8('x'))
    expect(await blobs.get('a/b')).toEqual(utf8('x'))
  })

  it('cannot be written to where a file is in the place of a folder', async () => {
    const blobs = await fileBlobs(folder)
    await blobs.put('a', utf8('x'))
    await expect(blobs.put('a/b', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
  })
})
