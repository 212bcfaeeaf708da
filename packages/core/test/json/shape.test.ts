import { describe, expect, it } from 'vitest'
import { parseJson } from '@countersign/core/json/parse'
import * as shape from '@countersign/core/json/shape'
import { failureOf, refusal } from '../refusal.ts'

const at = (text: string): shape.Place => shape.documentPlace(parseJson(text), 'bundle_malformed')

describe('the readers of fields', () => {
  it('name the place and carry the code of the caller', () => {
    const items = shape.items(shape.openMembers(at('{"a b":[{"c":"x"}]}'))('a b'), 5)
    const failure = failureOf(() => shape.count(shape.openMembers(items[0] as shape.Place)('c')))
    expect(failure?.code).toBe('bundle_malformed')
    expect(failure?.message).toMatch(/^\$\["a b"\]\[0\]\.c: expected an integer/)
  })

  it('name the same place for another value in it, and a place of its own as it is called', () => {
    const inner = shape.placed(shape.openMembers(at('{"text":"{}"}'))('text'), parseJson('{"a":[1]}'))
    expect([inner.path, shape.openMembers(inner)('a').path, inner.code]).toEqual(['$.text', '$.text.a', 'bundle_malformed'])
    expect(shape.rootPlace(1, 'bundle_malformed', 'annotations["a"]').path).toBe('annotations["a"]')
  })

  it('refuse unknown fields where a document may have only known ones', () => {
    expect(refusal(() => shape.members(at('{"a":1,"b":2}'), ['a', 'b', 'c']))).toBeUndefined()
    expect(failureOf(() => shape.members(at('{"a":1,"media_type":2}'), ['a']))?.message).toBe('$: unknown field "media_type"')
  })

  it('see neither inherited members nor a prototype', () => {
    expect(shape.isAbsent(shape.openMembers(at('{}'))('toString'))).toBe(true)
    expect(shape.isAbsent(shape.openMembers(at('{}'))('__proto__'))).toBe(true)
  })

  it('take null for absent', () => {
    expect(shape.optional(at('null'), shape.text)).toBeUndefined()
    expect(shape.optionalItems(at('null'), 3)).toEqual([])
    expect(shape.int64(at('null'))).toBe(0)
  })

  it.each([
    ['0', 0],
    ['"0"', 0],
    ['17', 17],
    ['"9007199254740991"', 2 ** 53 - 1],
    ['-0', 0],
    ['1e3', 1000],
  ])('read %s as the 64-bit integer %d', (text, value) => {
    expect(Object.is(shape.int64(at(text)), value)).toBe(true)
  })

  it.each(['-1', '"-1"', '1.5', '9007199254740993', '"9007199254740992"', '"007"', '"1e3"', '""', '" 1"', '"0x1"', 'true', '[]', '1e30'])(
    'refuse %s as a 64-bit integer',
    (text) => {
      expect(refusal(() => shape.int64(at(text)))).toBe('bundle_malformed')
    },
  )

  it.each(['""', '"QQ"', '"QR=="', '"Q Q="', '"-_-_"', '"QQ==\\n"', '5', '{}'])('refuse %s as base64', (text) => {
    expect(refusal(() => shape.base64Bytes(at(text)))).toBe('bundle_malformed')
  })

  it('bound arrays and maps', () => {
    expect(refusal(() => shape.items(at('[1,2,3]'), 2))).toBe('bundle_malformed')
    expect(refusal(() => shape.items(at('{}'), 2))).toBe('bundle_malformed')
    expect(refusal(() => shape.textMap(at('{"a":"1","b":"2"}'), 1))).toBe('bundle_malformed')
    expect(refusal(() => shape.textMap(at('{"a":1}'), 1))).toBe('bundle_malformed')
  })

  it('know enumerations by name only', () => {
    expect(shape.oneOf(at('"ANY"'), ['ANY', 'ALL'])).toBe('ANY')
    expect(refusal(() => shape.oneOf(at('"any"'), ['ANY', 'ALL']))).toBe('bundle_malformed')
    expect(refusal(() => shape.oneOf(at('1'), ['ANY', 'ALL']))).toBe('bundle_malformed')
  })

  it.each(['1', 'null', '[]', '"x"'])('refuse %s as an object', (text) => {
    expect(refusal(() => shape.readObject(at(text)))).toBe('bundle_malformed')
  })
})
