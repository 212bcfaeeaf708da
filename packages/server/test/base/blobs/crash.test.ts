import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromUtf8 } from '@countersign/core/bytes'
import { type BlobStore } from '@countersign/server/base/blobs/blob-store'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startChild } from '../child.ts'

const script = new URL('writing-process.ts', import.meta.url)

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-blobs-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The version that the replaced blob holds, all over. */
async function version(blobs: BlobStore): Promise<number> {
  const text = fromUtf8((await blobs.get('replaced')) ?? new Uint8Array())
  expect(text.length).toBe(8 << 16)
  expect(text).toBe(text.slice(0, 8).repeat(1 << 16))
  return Number(text.slice(0, 8))
}

describe('blobs in files', () => {
  it('are there as confirmed, and whole, when their process is killed again and again', async () => {
    let last = -1
    for (let round = 0; round < 4; round++) {
      const child = startChild(script, [folder, String(last + 1)])
      expect(await child.line()).toBe(String(last + 1))
      await sleep(Math.random() * 60)
      child.kill('SIGKILL')
      const { lines } = await child.ended
      last = Number(lines.at(-1))
      const blobs = await fileBlobs(folder)
      expect(readdirSync(join(folder, '~new'))).toEqual([])
      // The write that was not confirmed may have happened too.
      const seen = await version(blobs)
      expect([last, last + 1]).toContain(seen)
      for (const line of lines) expect(fromUtf8((await blobs.get(`once/${line}`)) ?? new Uint8Array())).toBe(line)
      await blobs.remove(`once/${last + 1}`)
    }
  })

  it('are refused with a hint when they do not fit, and leave the old ones and no half', async () => {
    const child = startChild(script, [folder], { largestFile: 100 })
    const { lines } = await child.ended
    expect(lines).toEqual([expect.stringMatching(/^blob_store_failed .*limit/)])
    const blobs = await fileBlobs(folder)
    expect(await blobs.get('replaced')).toBeUndefined()
  })
})
