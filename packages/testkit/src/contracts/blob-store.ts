/** What every `BlobStore` does. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { BlobStore } from '@countersign/server/base/blobs/blob-store'
import { type PortCase, portCases, type PortSubject } from './contract.ts'

/** The contract as cases for any test framework. */
export function blobStoreContract(subject: PortSubject<BlobStore, BlobStoreSentence>): readonly PortCase[] {
  return portCases(subject, sentences)
}

/** The sentences of the contract. */
export type BlobStoreSentence = keyof typeof sentences

const sentences = {
  'gives back what was put': async (blobs: BlobStore): Promise<void> => {
    const bytes = new Uint8Array(randomBytes(100_000))
    await blobs.put('tile/0/x001/234', bytes)
    assert.deepEqual(await blobs.get('tile/0/x001/234'), bytes)
  },
  'keeps an empty blob': async (blobs: BlobStore): Promise<void> => {
    await blobs.put('empty', new Uint8Array())
    assert.deepEqual(await blobs.get('empty'), new Uint8Array())
  },
  'has nothing under a name that was never written, nor below or above one that was': async (blobs: BlobStore): Promise<void> => {
    await blobs.put('a/b', utf8('b'))
    assert.equal(await blobs.get('a/c'), undefined)
    assert.equal(await blobs.get('x/y/z'), undefined)
    assert.equal(await blobs.get('a/b2'), undefined)
    assert.equal(await blobs.get('a'), undefined)
    assert.equal(await blobs.get('a/b/c'), undefined)
    await blobs.remove('a')
    await blobs.remove('a/b/c')
    assert.deepEqual(await blobs.get('a/b'), utf8('b'))
  },
  'replaces a blob by a shorter one, whole': async (blobs: BlobStore): Promise<void> => {
    await blobs.put('checkpoint', utf8('a long checkpoint'))
    await blobs.put('checkpoint', utf8('short'))
    assert.deepEqual(await blobs.get('checkpoint'), utf8('short'))
  },
  'creates where nothing is, and leaves alone what is there': async (blobs: BlobStore): Promise<void> => {
    assert.equal(await blobs.create('root/1.json', utf8('first')), true)
    assert.equal(await blobs.create('root/1.json', utf8('second')), false)
    assert.deepEqual(await blobs.get('root/1.json'), utf8('first'))
    await blobs.remove('root/1.json')
    assert.equal(await blobs.create('root/1.json', utf8('third')), true)
  },
  'lets one of many creators win, and keeps what that one wrote': async (blobs: BlobStore): Promise<void> => {
    const contents = Array.from({ length: 20 }, (_, index) => utf8(`creator ${index}`))
    const created = await Promise.all(contents.map((bytes) => blobs.create('one', bytes)))
    assert.equal(created.filter((won) => won).length, 1)
    assert.deepEqual(await blobs.get('one'), contents[created.indexOf(true)])
  },
  'never shows a mixture while a blob is replaced': async (blobs: BlobStore): Promise<void> => {
    const versions = ['a', 'b', 'c', 'd'].map((letter) => utf8(letter.repeat(50_000)))
    await blobs.put('mixed', versions[0] as Uint8Array)
    const writes = Promise.all(versions.map((bytes) => blobs.put('mixed', bytes)))
    for (let reads = 0; reads < 20; reads++) {
      const seen = (await blobs.get('mixed')) as Uint8Array
      assert.equal(seen.length, 50_000)
      assert.equal(new Set(seen).size, 1)
    }
    await writes
  },
  'takes hundreds of blobs at once': async (blobs: BlobStore): Promise<void> => {
    const names = Array.from({ length: 300 }, (_, index) => `many/x${Math.floor(index / 50)}/${index}`)
    await Promise.all(names.map((name) => blobs.put(name, utf8(name))))
    for (const name of names) assert.deepEqual(await blobs.get(name), utf8(name))
  },
  'lists the names that begin with a prefix, each once': async (blobs: BlobStore): Promise<void> => {
    const names = ['tile/0/000', 'tile/0/001', 'tile/1/000', 'tile/entries/000', 'tiles', 'other/tile/0/000', 'tile.txt']
    for (const name of names) await blobs.put(name, utf8('x'))
    assert.deepEqual(await listed(blobs, 'tile/'), ['tile/0/000', 'tile/0/001', 'tile/1/000', 'tile/entries/000'])
    assert.deepEqual(await listed(blobs, 'tile/0/00'), ['tile/0/000', 'tile/0/001'])
    assert.deepEqual(await listed(blobs, 'tile'), ['tile.txt', 'tile/0/000', 'tile/0/001', 'tile/1/000', 'tile/entries/000', 'tiles'])
    assert.deepEqual(await listed(blobs, ''), [...names].sort())
    assert.deepEqual(await listed(blobs, 'nothing/here'), [])
  },
  'lists more names than one answer holds': async (blobs: BlobStore): Promise<void> => {
    const names = Array.from({ length: 250 }, (_, index) => `page/${String(index).padStart(3, '0')}`)
    await Promise.all(names.map((name) => blobs.put(name, utf8('x'))))
    assert.deepEqual(await listed(blobs, 'page/'), names)
  },
  'forgets a removed blob, and removes what is not there': async (blobs: BlobStore): Promise<void> => {
    await blobs.put('gone', utf8('x'))
    await blobs.remove('gone')
    await blobs.remove('gone')
    await blobs.remove('never/was')
    assert.equal(await blobs.get('gone'), undefined)
    assert.deepEqual(await listed(blobs, ''), [])
  },
  'refuses names that lead elsewhere or that no store can keep': async (blobs: BlobStore): Promise<void> => {
    const bytes = utf8('x')
    for (const name of [
      '',
      '/etc/passwd',
      'a//b',
      'a/',
      '../a',
      'a/../../b',
      './a',
      'a/.',
      'a\\b',
      'a b',
      'ä',
      'a\0b',
      'a%2fb',
      'a?b',
      '~new/x',
      'x'.repeat(513),
    ]) {
      for (const use of [() => blobs.put(name, bytes), () => blobs.create(name, bytes), () => blobs.get(name), () => blobs.remove(name)]) {
        await assert.rejects(async () => use(), isRefusedName)
      }
    }
    await assert.rejects(async () => listed(blobs, '../'), isRefusedName)
    assert.deepEqual(await listed(blobs, ''), [])
  },
}

async function listed(blobs: BlobStore, prefix: string): Promise<readonly string[]> {
  const names: string[] = []
  for await (const name of blobs.list(prefix)) names.push(name)
  return names.sort()
}

function isRefusedName(thrown: unknown): boolean {
  return thrown instanceof CountersignError && thrown.code === 'blob_name_malformed'
}
