import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, parseJsonAs, parseJsonDocument } from '@countersign/core/json/parse'
import { failureOf, refusal } from '../refusal.ts'

/** What a parser gives, or that it refuses. */
function outcome(parse: () => unknown): unknown {
  try {
    return { value: parse() }
  } catch (cause) {
    return cause instanceof CountersignError ? cause.code : 'json_malformed'
  }
}

describe('parseJson', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  it('reads documents from bytes and from text alike', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseJson(utf8(text))).toEqual(parseJson(text))
      }),
    )
  })

  it.each([
    '',
    ' ',
    '{',
    '}',
    '[',
    ']',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    "{'a':1}",
    '"',
    '"a',
    '"\\',
    '"\\u12"',
    '"\\x41"',
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '1e+',
    '0x10',
    'NaN',
    'Infinity',
    'tru',
    'nul',
    'truefalse',
    '1 2',
    '[1]]',
    '"a\nb"',
    '"\u0000"',
    '/* c */1',
    '1//',
    '\u00a01',
    '\ufeff1',
    '{"a":1 "b":2}',
    '{"a" 1}',
    '[1 2]',
    '1e999',
    '-1e999',
    '"\ud800"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '{"\\ud800":1}',
  ])('refuses %j', (text) => {
    expect(refusal(() => parseJson(text))).toBe('json_malformed')
  })

  it('refuses bytes that are not UTF-8, and a byte order mark', () => {
    expect(refusal(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('json_malformed')
    expect(refusal(() => parseJson(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22)))).toBe('json_malformed')
    expect(refusal(() => parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31)))).toBe('json_malformed')
  })

  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"b":2,"a":1}',
    '{"x":{"a":1,"a":1}}',
    '[{"a":1,"\\u0061":2}]',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":2}',
  ])('attack: a member given twice, so that one reader takes the first and another the last: %s', (text) => {
    expect(refusal(() => parseJson(text))).toBe('json_duplicate_key')
  })

  it('attack: __proto__ and constructor are members like any other and reach no prototype', () => {
    const value = parseJson('{"__proto__":{"polluted":true},"constructor":1}') as Record<string, unknown>
    expect(Object.getPrototypeOf(value)).toBeNull()
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('refuses nesting beyond the limit, in arrays and objects, and never overflows the stack', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(refusal(() => parseJson(nested(64)))).toBeUndefined()
    expect(refusal(() => parseJson(nested(65)))).toBe('json_too_deep')
    expect(refusal(() => parseJson('{"a":'.repeat(65) + '1' + '}'.repeat(65)))).toBe('json_too_deep')
    expect(refusal(() => parseJson(nested(3), { maxDepth: 2 }))).toBe('json_too_deep')
    expect(refusal(() => parseJson('['.repeat(1_000_000)))).toBe('json_too_deep')
    // Siblings do not add up.
    expect(refusal(() => parseJson(`[${'[[]],'.repeat(100)}1]`, { maxDepth: 3 }))).toBeUndefined()
  })

  it('refuses documents beyond the limit before it reads them', () => {
    expect(refusal(() => parseJson('[1,2]', { maxBytes: 5 }))).toBeUndefined()
    expect(refusal(() => parseJson('[1,2]', { maxBytes: 4 }))).toBe('json_too_large')
    expect(refusal(() => parseJson(new Uint8Array(33 * 1024 * 1024)))).toBe('json_too_large')
  })

  it.each(['0,', '{},', '[],', '"",', '{"a":0},'])(
    'attack: a document of a great many values (%s) is refused before it fills the memory',
    (value) => {
      const document = (count: number): string => `[${value.repeat(count)}0]`
      expect(() => parseJson(document(1_000_000))).toThrow(expect.objectContaining({ code: 'json_too_large' }))
      expect(() => parseJson(document(10), { maxValues: 11 })).toThrow(expect.objectContaining({ code: 'json_too_large' }))
      expect(parseJson(document(10), { maxValues: 32 })).toHaveLength(11)
    },
  )

  it('reads 10 MiB of small members, of escapes and of digits in time linear to their length', () => {
    const many = `{${Array.from({ length: 350_000 }, (_, i) => `"member number ${i}":${i}`).join(',')}}`
    const documents = [
      many,
      `"${'\\u0041'.repeat(1_700_000)}"`,
      '1'.repeat(10_000_000),
      `${' '.repeat(10_000_000)}1`,
      '['.repeat(10_000_000),
    ]
    for (const document of documents) {
      const start = performance.now()
      refusal(() => parseJson(document))
      expect(performance.now() - start).toBeLessThan(15_000)
    }
  })

  it.each([0, 29, 30, 31, 32, 61, 62, 150])(
    'ends, unescapes and refuses at character %d of a string as the native parser does',
    (length) => {
      const head = 'é'.repeat(length)
      for (const found of ['\\n', '\\"', '\\\\', '\\u0041', '\\x', '\n', '\u0000', '\u001f', '\u007f', '\u2028', '', '\\']) {
        const text = `["${head}${found}${'b'.repeat(40)}","${found}"]`
        expect(outcome(() => parseJson(text))).toEqual(outcome(() => JSON.parse(text)))
      }
      expect(refusal(() => parseJson(`["${head}`))).toBe('json_malformed')
    },
  )

  it('refuses mutants with its own codes and nothing else', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.string({ unit: 'binary', maxLength: 2 }), (text, at, replacement) => {
        const position = at % (text.length + 1)
        const code = refusal(() => parseJson(text.slice(0, position) + replacement + text.slice(position + 1)))
        expect([undefined, 'json_malformed', 'json_duplicate_key', 'json_too_deep']).toContain(code)
      }),
    )
  })
})

describe('parseJsonDocument', () => {
  it('keeps the exact source of each top-level member, and of no other', () => {
    const { sources } = parseJsonDocument(' { "a" : {"a": 1.10 , "b":[ ]} , "n":12345678901234567890,"s":"\\u0061é" } ')
    expect([...sources]).toEqual([
      ['a', '{"a": 1.10 , "b":[ ]}'],
      ['n', '12345678901234567890'],
      ['s', '"\\u0061é"'],
    ])
  })

  it('keeps no sources of arrays', () => {
    expect(parseJsonDocument('[{"a":1}]').sources.size).toBe(0)
  })

  it('gives back the bytes that stand in the document', () => {
    const document = utf8('{"p":{"é":"\u{1f600}"}}')
    expect(parseJsonDocument(document).sources.get('p')).toBe(fromUtf8(document).slice(5, -1))
  })
})

describe('parseJsonAs', () => {
  it('fails with the code of the caller and keeps the cause', () => {
    const failure = failureOf(() => parseJsonAs('bundle_malformed', 'the bundle', '{"a":1,"a":1}'))
    expect(failure?.code).toBe('bundle_malformed')
    expect(failure?.cause).toMatchObject({ code: 'json_duplicate_key' })
    expect(failure?.message).toContain('the bundle: ')
  })
})

describe('members of which no value is made', () => {
  const lazily = (document: string, limits: Parameters<typeof parseJson>[1] = {}) =>
    parseJsonDocument(document, { ...limits, sourceOnly: ['big'] })

  it('stand as null, with their text kept, at the top alone', () => {
    const { value, sources } = lazily('{"a":{"big":[1]},"big": {"x":[1,{"y":"z"}]} }')
    expect(value).toEqual({ a: { big: [1] }, big: null })
    expect(sources.get('big')).toBe('{"x":[1,{"y":"z"}]}')
  })

  it('are read as strictly as values are: both readers accept the same documents, with the same failures', () => {
    const text = fc.oneof(
      fc.json(),
      fc
        .json()
        .chain((json) =>
          fc
            .tuple(fc.nat(json.length), fc.constantFrom('', '"', '{', ']', ',', '\\', 'x', '1'))
            .map(([at, put]) => json.slice(0, at) + put + json.slice(at + 1)),
        ),
      fc.constantFrom(
        '{"a":1,"a":2}',
        '[{"a":[{"b":1,"b":1}]}]',
        '{"a":1,"\\u0061":2}',
        '"\\ud800"',
        '1e999',
        '[1,]',
        '{}',
        '[]',
        '{"a"}',
        '{"__proto__":1,"__proto__":2}',
      ),
    )
    fc.assert(
      fc.property(text, (json) => {
        const document = `{"big":${json}}`
        expect(failureOf(() => lazily(document))?.code).toBe(failureOf(() => parseJson(document))?.code)
      }),
      { numRuns: 2000 },
    )
  })

  it('attack: count for the bounds of depth and number', () => {
    expect(failureOf(() => lazily(`{"big":${'['.repeat(70)}${']'.repeat(70)}}`))?.code).toBe('json_too_deep')
    expect(failureOf(() => lazily(`{"big":[${'0,'.repeat(50)}0]}`, { maxValues: 40 }))?.code).toBe('json_too_large')
  })
})
