import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { createListings, listingLimits, readListings, writeListings, type ListedAnswer } from '@countersign/sdk/cache/listings'
import { describe, expect, it } from 'vitest'

const digest = `sha256:${'ab'.repeat(32)}` as Digest
const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 7 }
const answers: readonly ListedAnswer[] = [
  { kind: 'absent' },
  { kind: 'unsupported' },
  { kind: 'found', descriptor },
  { kind: 'listed', manifests: [descriptor] },
  { kind: 'tags', tags: ['v1', 'v2'] },
]

function memoryAt(nowMs: number): ReturnType<typeof createListings> {
  return createListings(() => nowMs)
}

describe('remembered listings', () => {
  it.each(answers)('are written and read back: $kind', (answer) => {
    const listings = memoryAt(1_000)
    listings.note('question', { atMs: 900, answer })
    expect(readListings(utf8(writeListings(listings, 1_000, 100) ?? ''))).toEqual([['question', { atMs: 900, answer }]])
  })

  it('are forgotten when they are older than asked for, and when they claim to come from the future', () => {
    const listings = memoryAt(1_000)
    listings.load([
      ['old', { atMs: 899, answer: { kind: 'absent' } }],
      ['young', { atMs: 900, answer: { kind: 'absent' } }],
      ['future', { atMs: 1_001, answer: { kind: 'absent' } }],
    ])
    expect(['old', 'young', 'future'].map((question) => listings.recall(question, 100)?.kind)).toEqual([undefined, 'absent', undefined])
    expect(writeListings(listings, 1_000, 100)).not.toContain('old')
  })

  it('keep the newer of two answers', () => {
    const listings = memoryAt(1_000)
    listings.note('question', { atMs: 950, answer: { kind: 'unsupported' } })
    listings.load([['question', { atMs: 940, answer: { kind: 'absent' } }]])
    expect(listings.recall('question', 100)?.kind).toBe('unsupported')
  })

  it.each([
    'no JSON',
    '{}',
    '[1]',
    '[["question"]]',
    '[[1,1,{"kind":"absent"}]]',
    '[["question","1",{"kind":"absent"}]]',
    '[["question",1,{"kind":"other"}]]',
    '[["question",1,{"kind":"found"}]]',
    '[["question",1,{"kind":"found","descriptor":{"mediaType":"a","digest":"sha256:00","size":1}}]]',
    `[["question",1,{"kind":"found","descriptor":{"mediaType":"a","digest":"${digest}","size":-1}}]]`,
    '[["question",1,{"kind":"listed","manifests":[{}]}]]',
    '[["question",1,{"kind":"listed"}]]',
    '[["question",1,{"kind":"tags","tags":[1]}]]',
    `[["question",1,{"kind":"tags","tags":["${'a'.repeat(129)}"]}]]`,
  ])('attack: a file that is not exactly of their form holds none (%s)', (document) => {
    expect(readListings(utf8(document))).toEqual([])
  })

  it('are not kept beyond their bounds', () => {
    const listings = memoryAt(0)
    listings.note('tags', { atMs: 0, answer: { kind: 'tags', tags: ['a'.repeat(listingLimits.fileBytes)] } })
    expect(writeListings(listings, 0, 1)).toBeUndefined()
    expect(writeListings(memoryAt(0), 0, 1)).toBeUndefined()
  })
})
