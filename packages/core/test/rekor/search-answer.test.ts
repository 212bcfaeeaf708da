import { describe, expect, it } from 'vitest'
import { parseLogSearch } from '@countersign/core/rekor/search-answer'

const hit = {
  log: 'rekor2-1',
  index: 3,
  kind: 'hashedrekord 0.0.2',
  digest: [],
  key: [],
  identity: ['ada@example.org'],
  unverifiedIdentity: [],
  integratedAt: 'now',
}
const answer = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

describe('the answer of a search over logs', () => {
  it('is read with what newer services add', () => {
    const entries = [hit, { ...hit, uuid: 'ab', more: 1 }]
    expect(parseLogSearch(answer({ entries, complete: true, took: 1 }))).toEqual({ entries: [hit, { ...hit, uuid: 'ab' }], complete: true })
  })

  it.each([
    ['no document', '<html>'],
    ['no list', { complete: true }],
    ['not said whether it is whole', { entries: [] }],
    ['an index that is none', { entries: [{ ...hit, index: -1 }], complete: true }],
    ['a name that is no text', { entries: [{ ...hit, identity: [1] }], complete: true }],
    ['more than was asked for', { entries: Array.from({ length: 1001 }, () => hit), complete: true }],
  ])('is refused: %s', (_, value) => {
    expect(() => parseLogSearch(answer(value))).toThrow(expect.objectContaining({ code: 'service_response_malformed' }) as Error)
  })
})
