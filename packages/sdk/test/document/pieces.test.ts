import { CountersignError } from '@countersign/core/failure'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as yaml from 'yaml'
import { readInPieces } from '../../src/document/pieces.ts'
import { readSourceDocument, type SourceDocument } from '../../src/document/source.ts'

const strict = { prettyErrors: false, version: '1.2', uniqueKeys: false, stringKeys: true } as const
const count = 4_000

/** A list long enough to be read in pieces, with `entry` in place of the one at `at`. */
function longDocument(entry: (at: number) => string = plainEntry, head = 'version: 1\nartifacts:\n', tail = ''): string {
  return head + Array.from({ length: count }, (_, at) => entry(at)).join('') + tail
}

function plainEntry(at: number): string {
  return `  - path: file-${at}.bin # one of them\n    signature: file-${at}.sig\n`
}

function read(text: string): Promise<SourceDocument> {
  return readSourceDocument(text, 'batch.yaml', { code: 'batch_malformed', maxCharacters: 4 * 1024 * 1024 })
}

async function messageOf(text: string): Promise<string> {
  return read(text).then(
    () => 'read',
    (error: unknown) => (error instanceof CountersignError ? error.message : 'no failure of the platform'),
  )
}

describe('a long list in a YAML document', () => {
  it('is read as it is written, entries before, between and after pieces alike', async () => {
    const { value } = await read(longDocument(plainEntry, undefined, 'defaults:\n  policy: p.yaml\n'))
    const artifacts = Array.from({ length: count }, (_, at) => ({ path: `file-${at}.bin`, signature: `file-${at}.sig` }))
    expect(value).toEqual({ version: 1, artifacts, defaults: { policy: 'p.yaml' } })
  })

  it('tells the line and column of each entry, and of what is in it', async () => {
    const document = await read(longDocument())
    expect(document.lineOf('$.artifacts[0]')).toEqual({ line: 3, column: 5 })
    expect(document.lineOf(`$.artifacts[${count - 1}]`)).toEqual({ line: 2 * count + 1, column: 5 })
    expect(document.placeOf('$.artifacts[3000].signature')).toBe('batch.yaml:6004:5')
    const failure = document.located(new CountersignError('batch_malformed', '$.artifacts[3000]: unknown field "signature"'))
    expect(failure).toMatchObject({ message: 'batch.yaml:6004:5: $.artifacts[3000]: unknown field "signature"' })
  })

  it.each([
    ['a value that does not end', (at: number) => `  - path: "file-${at}\n`, /^batch\.yaml:\d+:\d+: /],
    ['a name given twice', () => '  - path: a\n    path: b\n', /^batch\.yaml:4004:5: Map keys must be unique$/],
    ['an anchor', () => '  - path: &a b\n    signature: c\n', /^batch\.yaml:4003:14: anchors and aliases are not read here$/],
    ['an alias', () => '  - path: *a\n    signature: c\n', /^batch\.yaml:4003:11: anchors and aliases are not read here$/],
    ['an entry that begins elsewhere', () => ' - path: a\n', /^batch\.yaml:\d+:\d+: /],
    ['a tag', () => '  - path: !secret b\n    signature: c\n', /^batch\.yaml:4003:11: Unresolved tag: !secret$/],
  ])('is refused with line and column for %s in the middle of it', async (_name, odd, expected) => {
    expect(await messageOf(longDocument((at) => (at === 2_000 ? odd(at) : plainEntry(at))))).toMatch(expected)
  })

  it('is refused where a name of the document is given twice, be it the list itself', async () => {
    expect(await messageOf(longDocument(plainEntry, undefined, 'version: 2\n'))).toBe('batch.yaml:8003:1: Map keys must be unique')
    const twice = longDocument() + longDocument(plainEntry, 'artifacts:\n')
    expect(await messageOf(twice)).toBe('batch.yaml:8003:1: Map keys must be unique')
  })

  it('is refused where a second document follows', async () => {
    const expected = 'batch.yaml:8003:1: a second document begins here, and the file may hold one'
    expect(await messageOf(longDocument(plainEntry, undefined, '---\nversion: 1\n'))).toBe(expected)
  })

  it('means what a directive says before it, which holds for every entry', async () => {
    const entry = (at: number): string => `  - path: yes # ${at}, a truth value to YAML 1.1 alone\n`
    expect((await read(longDocument(entry))).value).toMatchObject({ artifacts: expect.arrayContaining([{ path: 'yes' }]) as unknown })
    const old = await read(longDocument(entry, '%YAML 1.1\n---\nversion: 1\nartifacts:\n'))
    expect(old.value).toEqual({ version: 1, artifacts: Array.from({ length: count }, () => ({ path: true })) })
  })
})

/** Entries in many styles, comments and empty ones between them. */
const entries = fc.array(
  fc.oneof(
    fc.constantFrom(
      '- {path: a, keys: [b, "c"]}',
      '-',
      '- plain\n  text over lines',
      '- |\n  - not an entry\n\n  # nor a comment',
      '- >-\n   folded\n   - text\n',
      '- "quoted\n   - text"',
      '- - nested\n  - list',
      '# a comment between',
      '  # a comment deeper',
      '',
      '- path: a\n\n  # in it\n  keys:\n  - b\n  - c\n  # behind it',
      "- 'it''s'",
      '- 0x10',
      '- null',
      '- ? explicit\n  : value',
      '- path: |2\n     two more\n',
    ),
    fc.nat(1e6).map((number) => `- path: file-${number}\n  size: ${number}`),
  ),
  { minLength: 60, maxLength: 200 },
)

/** Where the entries of `list` begin. */
function placesIn(whole: yaml.Document, text: string): readonly object[] {
  const list = yaml.isMap(whole.contents) ? whole.contents.get('list') : undefined
  return (yaml.isSeq(list) ? list.items : []).map((item) => {
    const before = text.slice(0, yaml.isNode(item) ? (item.range?.[0] ?? 0) : 0).split('\n')
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
  })
}

describe('reading in pieces', () => {
  it('gives what reading at once gives', () => {
    fc.assert(
      fc.property(entries, fc.constantFrom('', '  '), fc.constantFrom('', '# the end\n', 'last: 1\n'), (lines, indent, tail) => {
        const list = lines.flatMap((entry) => entry.split('\n')).map((line) => (line === '' ? '' : indent + line))
        const text = `first: 1\nlist:\n${list.join('\n')}\n${tail}`
        const whole = yaml.parseDocument(text, strict)
        const pieces = readInPieces(yaml, text, strict)
        const isOdd = whole.errors.length > 0 || whole.warnings.length > 0
        expect(pieces?.value).toEqual(isOdd ? undefined : whole.toJS())
        const places = placesIn(whole, text)
        expect(places.map((place, at) => pieces?.entryAt('list', at) ?? place)).toEqual(places)
      }),
      { numRuns: 80 },
    )
  })
})

describe('attack: a mapping of very many names', () => {
  it('costs time in proportion to them', async () => {
    const names = Array.from({ length: 40_000 }, (_, at) => `k${at}: v\n`).join('')
    const start = performance.now()
    expect(Object.keys((await read(names)).value as object)).toHaveLength(40_000)
    expect(performance.now() - start).toBeLessThan(15_000)
    expect(await messageOf(`${names}k0: w\n`)).toBe('batch.yaml:40001:1: Map keys must be unique')
  })
})
