import { describe, expect, it } from 'vitest'
import { concatBytes, hexToBytes } from '../../src/bytes.ts'
import {
  encodeMerkleTreeLeaf,
  encodeTileLeaf,
  merkleLeafPrefix,
  parseDataTile,
  parseTileLeaf,
  type CtEntry,
} from '../../src/x509/ct-leaf.ts'
import { leafIndexExtension, leafIndexOf } from '../../src/x509/sct-encode.ts'
import { refusal } from '../refusal.ts'

const bytes = (value: number, length: number): Uint8Array => new Uint8Array(length).fill(value)

const entry: CtEntry = {
  timestampMs: 1_700_000_000_123,
  index: 0x01_02_03_04_05,
  signed: { kind: 'precertificate', issuerKeyHash: bytes(0xaa, 32), tbs: bytes(0xbb, 3), precertificate: bytes(0xcc, 4) },
  chain: [bytes(0xd1, 32), bytes(0xd2, 32)],
}

describe('the leaf of a static certificate transparency log', () => {
  it('is byte for byte the structure of the specification', () => {
    const timestamped = hexToBytes(`0000018bcfe5687b0001${'aa'.repeat(32)}000003bbbbbb00080000050102030405`)
    const expected = concatBytes(timestamped, hexToBytes('000004cccccccc0040'), bytes(0xd1, 32), bytes(0xd2, 32))
    const leaf = encodeTileLeaf(entry)
    expect(leaf.bytes).toEqual(expected)
    expect(leaf.entryBytes).toBe(timestamped.length)
    expect(leaf.bytes.subarray(leaf.indexOffset, leaf.indexOffset + 5)).toEqual(hexToBytes('0102030405'))
    expect(encodeMerkleTreeLeaf(entry)).toEqual(concatBytes(hexToBytes('0000'), timestamped))
    expect(merkleLeafPrefix).toEqual(hexToBytes('0000'))
  })

  it('is read back, alone and in a tile of several', () => {
    const other: CtEntry = { ...entry, index: 1, signed: { kind: 'certificate', certificate: bytes(0xee, 300) }, chain: [] }
    expect(parseTileLeaf(encodeTileLeaf(entry).bytes).entry).toEqual(entry)
    const tile = concatBytes(encodeTileLeaf(entry).bytes, encodeTileLeaf(other).bytes)
    const read = parseDataTile(tile)
    expect(read.map((each) => each.entry)).toEqual([entry, other])
    expect(read[1]?.bytes).toEqual(encodeTileLeaf(other).bytes)
    expect(read[0]?.entryBytes).toBe(encodeTileLeaf(entry).entryBytes)
  })

  it('is refused when it is cut, has bytes too many, or names no index', () => {
    const leaf = encodeTileLeaf(entry).bytes
    expect(refusal(() => parseTileLeaf(leaf.subarray(0, -1)))).toBe('tile_malformed')
    expect(refusal(() => parseTileLeaf(concatBytes(leaf, bytes(0, 1))))).toBe('tile_malformed')
    const noIndex = concatBytes(bytes(0, 8), hexToBytes('0000'), hexToBytes('00000101'), hexToBytes('0000'), hexToBytes('0000'))
    expect(refusal(() => parseTileLeaf(noIndex))).toBe('tile_malformed')
    const short = concatBytes(bytes(0, 8), hexToBytes('0000'), hexToBytes('00000101'), hexToBytes('000400000101'), hexToBytes('0000'))
    expect(refusal(() => parseTileLeaf(short))).toBe('tile_malformed')
    expect(refusal(() => parseDataTile(concatBytes(...Array.from({ length: 257 }, () => leaf))))).toBe('tile_malformed')
  })

  it('names an index of 40 bits in eight bytes, once', () => {
    expect(leafIndexExtension(2 ** 40 - 1)).toEqual(hexToBytes('000005ffffffffff'))
    expect(leafIndexOf(leafIndexExtension(2 ** 40 - 1))).toBe(2 ** 40 - 1)
    expect(leafIndexOf(new Uint8Array())).toBeUndefined()
    expect(leafIndexOf(hexToBytes('010000'))).toBeUndefined()
    expect(refusal(() => leafIndexOf(concatBytes(leafIndexExtension(1), leafIndexExtension(1))))).toBe('sct_malformed')
    expect(refusal(() => leafIndexOf(hexToBytes('00000401020304')))).toBe('sct_malformed')
  })
})
