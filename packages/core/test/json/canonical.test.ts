import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8 } from '@countersign/core/bytes'
import { canonicalJson } from '@countersign/core/json/canonical'
import { parseJson, type JsonValue } from '@countersign/core/json/parse'
import { refusal } from '../refusal.ts'

const canonical = (value: JsonValue): string => fromUtf8(canonicalJson(value))

describe('canonicalJson', () => {
  it('writes the sample of RFC 8785 §3.2.2', () => {
    const sample = String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`
    expect(canonical(parseJson(sample))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    )
  })

  it('sorts the sample of RFC 8785 §3.2.3 by UTF-16 code units', () => {
    const sample = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
    const values = Object.values(JSON.parse(canonical(parseJson(sample))) as object)
    const order = [...canonical(parseJson(sample)).matchAll(/:"([A-Z])/g)].map((match) => match[1])
    expect(values).toHaveLength(7)
    expect(order).toEqual(['C', 'O', 'C', 'L', 'E', 'E', 'H'])
  })

  it('writes minus zero as 0', () => {
    expect(canonical(-0)).toBe('0')
  })

  it('is a fixed point: what it wrote reads back to the same bytes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const once = canonical(value as JsonValue)
        expect(canonical(parseJson(once))).toBe(once)
      }),
    )
  })

  it('refuses what has no JSON form', () => {
    expect(refusal(() => canonicalJson(Number.NaN))).toBe('json_malformed')
    expect(refusal(() => canonicalJson([Number.POSITIVE_INFINITY]))).toBe('json_malformed')
    expect(refusal(() => canonicalJson('\ud800'))).toBe('json_malformed')
    expect(refusal(() => canonicalJson({ '\udc00': 1 }))).toBe('json_malformed')
    let deep: JsonValue = 1
    for (let i = 0; i < 10_000; i++) deep = [deep]
    expect(refusal(() => canonicalJson(deep))).toBe('json_too_deep')
  })
})
