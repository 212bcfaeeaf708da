import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  chmodSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { openDiskCache, type DiskCache, type DiskCacheOptions } from '@countersign/sdk/cache/disk'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let base: string
let folder: string
const nowMs = Date.UTC(2026, 10, 20)
const traits = ['registry.example', 'app']

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'countersign-cache-'))
  folder = join(base, 'objects')
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

function open(options: Partial<DiskCacheOptions> = {}, at = nowMs): DiskCache {
  const cache = openDiskCache({ folder, ...options }, () => at)
  expect(cache).toBeDefined()
  return cache as DiskCache
}

function keep(texts: readonly string[], options: Partial<DiskCacheOptions> = {}, where = traits, at = nowMs): void {
  const cache = open(options, at)
  const place = cache.place(where)
  for (const text of texts) place.keep('blob', sha256Digest(utf8(text)), utf8(text))
  cache.flush()
}

function read(text: string, where = traits, limit = 1_000_000): string | undefined {
  const bytes = open()
    .place(where)
    .read('blob', sha256Digest(utf8(text)), limit)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}

function packs(): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith('v1-'))
    .map((name) => join(folder, name))
}

describe('the cache on disk', () => {
  it('gives to a later run the bytes that an earlier one kept, in that repository alone, and of that kind alone', () => {
    keep(['one', 'two'])
    expect([read('one'), read('two'), read('three')]).toEqual(['one', 'two', undefined])
    expect(read('one', ['registry.example', 'other'])).toBeUndefined()
    expect(
      open()
        .place(traits)
        .read('manifest', sha256Digest(utf8('one')), 100),
    ).toBeUndefined()
    expect(read('one', traits, 2)).toBeUndefined()
  })

  it('writes nothing before the end of a run, and nothing when there is nothing new', () => {
    const cache = open()
    cache.place(traits).keep('blob', sha256Digest(utf8('one')), utf8('one'))
    expect(readdirSync(folder)).toEqual([])
    cache.flush()
    const before = packs().map((path) => statSync(path).size)
    open().flush()
    expect(packs().map((path) => statSync(path).size)).toEqual(before)
  })

  it('is entered and read by its owner alone', () => {
    keep(['one'])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const path of packs()) expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('attack: a folder that others may write to, or that is a link, is not used', () => {
    keep(['one'])
    chmodSync(folder, 0o777)
    expect(openDiskCache({ folder }, () => nowMs)).toBeUndefined()
    const link = join(base, 'link')
    symlinkSync(folder, link)
    expect(openDiskCache({ folder: link }, () => nowMs)).toBeUndefined()
    writeFileSync(join(base, 'file'), '')
    expect(openDiskCache({ folder: join(base, 'file') }, () => nowMs)).toBeUndefined()
  })

  it('attack: a link in place of a file is not followed', () => {
    keep(['one'])
    const [path = ''] = packs()
    const elsewhere = join(base, 'elsewhere')
    writeFileSync(elsewhere, readFileSync(path))
    rmSync(path)
    symlinkSync(elsewhere, path)
    expect(read('one')).toBeUndefined()
  })

  it('attack: bytes that were changed are not given, whichever byte it was, and are fetched and kept again', () => {
    keep(['one', 'two'])
    const [path = ''] = packs()
    const good = readFileSync(path)
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at)
      writeFileSync(path, bad)
      expect(['one', undefined]).toContain(read('one'))
      expect(['two', undefined]).toContain(read('two'))
    }
    keep(['one', 'two'])
    expect([read('one'), read('two')]).toEqual(['one', 'two'])
  })

  it('killed while it is written loses at most what was written, and the next run mends it', () => {
    keep(['one'])
    keep(['two'])
    const [path = ''] = packs()
    const { size } = statSync(path)
    truncateSync(path, size - 2)
    expect([read('one'), read('two')]).toEqual(['one', undefined])
    keep(['three'])
    expect([read('one'), read('three')]).toEqual(['one', 'three'])
    keep(['two'])
    expect([read('one'), read('two'), read('three')]).toEqual(['one', 'two', 'three'])
  })

  it('loses nothing of runs that write at the same time', () => {
    const runs = Array.from({ length: 8 }, (_, index) => {
      const cache = open()
      const text = `object ${index}`
      cache.place(traits).keep('blob', sha256Digest(utf8(text)), utf8(text))
      return { cache, text }
    })
    for (const { cache } of runs) cache.flush()
    for (const { text } of runs) expect(read(text)).toBe(text)
  })

  it('keeps within its bytes: what was not used for longest goes first', () => {
    const text = (index: number): string => `${index} `.padEnd(10_000, 'x')
    for (let index = 0; index < 20; index++) {
      keep([text(index)], { maxBytes: 100_000 }, ['registry.example', `app${index}`])
      for (const path of packs()) if (statSync(path).mtimeMs > nowMs + 1_000) utimesSync(path, nowMs / 1000, (nowMs + index) / 1000)
    }
    const total = packs().reduce((sum, path) => sum + statSync(path).size, 0)
    expect(total).toBeLessThanOrEqual(100_000)
    expect(total).toBeGreaterThan(50_000)
    expect(read(text(19), ['registry.example', 'app19'])).toBe(text(19))
    expect(read(text(0), ['registry.example', 'app0'])).toBeUndefined()
  })

  it('keeps within its number of repositories, and one repository within its part', () => {
    for (let index = 0; index < 12; index++) keep([`${index}`], { maxRepositories: 5 }, ['registry.example', `app${index}`])
    expect(packs().length).toBeLessThanOrEqual(5)
    const megabyte = 'x'.repeat(1_000_000)
    for (let index = 0; index < 12; index++) keep([`${index}${megabyte}`])
    expect(Math.max(...packs().map((path) => statSync(path).size))).toBeLessThanOrEqual(8 * 1024 * 1024 + 1_100_000)
    expect(read(`11${megabyte}`, traits, 2_000_000)).toHaveLength(1_000_002)
  })

  it('removes what a killed run has begun, an hour later', () => {
    keep(['one'])
    const left = join(folder, '.new-0011')
    writeFileSync(left, 'half')
    utimesSync(left, nowMs / 1000, nowMs / 1000)
    rmSync(join(folder, 'usage'))
    keep(['two'], {}, traits, nowMs + 7_200_000)
    expect(readdirSync(folder)).not.toContain('.new-0011')
  })

  it('that cannot be written is as if it were not there', () => {
    keep(['one'])
    const [path = ''] = packs()
    rmSync(path)
    writeFileSync(join(base, 'blocked'), '')
    expect(openDiskCache({ folder: join(base, 'blocked', 'below') }, () => nowMs)).toBeUndefined()
    expect(read('one')).toBeUndefined()
  })
})
