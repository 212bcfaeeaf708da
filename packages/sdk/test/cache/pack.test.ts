import { utf8 } from '@countersign/core/bytes'
import { decodePack, encodeRecords } from '@countersign/sdk/cache/pack'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const name = fc.stringMatching(/^[a-z0-9-]{1,160}$/)
const record = fc.record({ name, bytes: fc.uint8Array({ maxLength: 300 }) })

describe('a pack of many objects', () => {
  it('gives back the last record of each name, whatever is in it', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), (records) => {
        const { records: read, whole } = decodePack(encodeRecords(records))
        expect(whole).toBe(true)
        expect([...read]).toEqual([...new Map(records.map((one) => [one.name, one.bytes]))])
      }),
    )
  })

  it('cut off anywhere, as a kill leaves it, gives a beginning of what was written and says that it is not whole', () => {
    const records = [utf8('one'), new Uint8Array(), utf8('three\nx 1\n')].map((bytes, index) => ({ name: `r-${index}`, bytes }))
    const document = encodeRecords(records)
    const ends = records.map((_, index) => encodeRecords(records.slice(0, index + 1)).length)
    for (let length = 0; length <= document.length; length++) {
      const read = decodePack(document.subarray(0, length))
      const complete = ends.filter((end) => end <= length).length
      expect([...read.records.keys()]).toEqual(records.slice(0, complete).map((one) => one.name))
      expect(read.whole).toBe(length === 0 || ends.includes(length))
    }
  })

  it('attack: bytes that are no pack are read in linear time as far as they look like one', () => {
    for (const hostile of ['a 999999999\n', 'A 1\nx\n', 'a -1\n', 'a 01\nx\n', `${'a'.repeat(161)} 1\nx\n`, '\n\n\n', 'a 1\nxx']) {
      const read = decodePack(utf8(hostile))
      expect([read.records.size, read.whole]).toEqual([0, false])
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void decodePack(bytes)))
  })
})
