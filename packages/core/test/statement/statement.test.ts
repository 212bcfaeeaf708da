import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseBundle } from '@countersign/core/bundle/parse'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import {
  buildSignatureStatement,
  buildStatement,
  isSignatureStatement,
  parseStatement,
  predicateValue,
} from '@countersign/core/statement/statement'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { failureOf, refusal } from '../refusal.ts'

const hex = 'ab'.repeat(32)
const sample = (change: Record<string, unknown> = {}): Uint8Array =>
  utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'a', digest: { sha256: hex } }],
      predicateType: 'https://example.com/x',
      predicate: {},
      ...change,
    }),
  )

describe('parseStatement', () => {
  it('reads both versions', () => {
    expect(parseStatement(sample()).version).toBe('1')
    expect(parseStatement(sample({ _type: 'https://in-toto.io/Statement/v0.1' })).version).toBe('0.1')
  })

  it('reads several subjects, digests of any algorithm, annotations that are strings, and ignores unknown fields', () => {
    const subject = [
      { digest: { sha256: hex, gitCommit: 'c0ffee', __proto__x: '1' }, annotations: { env: 'prod', n: 1, o: {} }, uri: 'x', unknown: 1 },
      { name: 'b', digest: { sha512: 'cd' } },
    ]
    expect(parseStatement(sample({ subject, unknown: true })).subjects).toMatchObject([
      { digest: { sha256: hex, gitCommit: 'c0ffee' }, annotations: { env: 'prod' } },
      { name: 'b', digest: { sha512: 'cd' }, annotations: {} },
    ])
    expect(Object.keys(parseStatement(sample({ subject })).subjects[0]?.annotations ?? {})).toEqual(['env'])
  })

  it('reads 10,000 subjects', () => {
    const subject = Array.from({ length: 10_000 }, (_, i) => ({ name: String(i), digest: { sha256: hex } }))
    expect(parseStatement(sample({ subject })).subjects).toHaveLength(10_000)
  })

  it('keeps the bytes of the predicate: numbers, order, blanks and escapes', () => {
    const predicate = '{ "n":12345678901234567890 ,"f": 1.10, "z":1,"a":"\\u0061" }'
    const payload = `{"_type":"https://in-toto.io/Statement/v1","predicate": ${predicate} ,"subject":[{"digest":{"sha256":"${hex}"}}],"predicateType":"t:x"}`
    const statement = parseStatement(utf8(payload))
    expect(fromUtf8(statement.predicateBytes as Uint8Array)).toBe(predicate)
    expect(predicateValue(statement)).toMatchObject({ f: 1.1, a: 'a' })
  })

  it('reads predicates of 254 levels and refuses deeper ones', () => {
    const nested = (depth: number): Uint8Array =>
      utf8(fromUtf8(sample()).replace('"predicate":{}', `"predicate":${'['.repeat(depth)}${']'.repeat(depth)}`))
    expect(refusal(() => parseStatement(nested(254)))).toBeUndefined()
    expect(refusal(() => parseStatement(nested(256)))).toBe('statement_malformed')
  })

  it('takes a statement without predicate', () => {
    expect(parseStatement(sample({ predicate: undefined }))).not.toHaveProperty('predicateBytes')
    expect(predicateValue(parseStatement(sample({ predicate: null })))).toBeUndefined()
  })

  it.each([
    ['another type', sample({ _type: 'https://in-toto.io/Statement/v2' })],
    ['no type', sample({ _type: undefined })],
    ['no subject', sample({ subject: undefined })],
    ['an empty list of subjects', sample({ subject: [] })],
    ['a subject without digest', sample({ subject: [{ name: 'a' }] })],
    ['a subject with no digest inside', sample({ subject: [{ name: 'a', digest: {} }] })],
    ['a digest that is no string', sample({ subject: [{ digest: { sha256: 1 } }] })],
    ['no predicate type', sample({ predicateType: undefined })],
    ['an empty predicate type', sample({ predicateType: '' })],
    ['what is no JSON', utf8('{')],
    ['an array', utf8('[]')],
    [
      'attack: two predicate types',
      utf8(fromUtf8(sample()).replace('"predicate":', '"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":')),
    ],
    ['attack: two digests of one algorithm', utf8(fromUtf8(sample()).replace('"sha256":', '"sha\\u003256":"00","sha256":'))],
  ])('refuses %s', (_, payload) => {
    expect(refusal(() => parseStatement(payload))).toBe('statement_malformed')
  })

  it('names the place of the failure', () => {
    expect(failureOf(() => parseStatement(sample({ subject: [{ digest: { sha256: hex } }, {}] })))?.message).toMatch(
      /^\$\.subject\[1\]\.digest: /,
    )
  })

  it('refuses mutants with its own code and nothing else', () => {
    const text = fromUtf8(sample())
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, replacement) => {
        expect([undefined, 'statement_malformed']).toContain(
          refusal(() => parseStatement(utf8(text.slice(0, at) + replacement + text.slice(at + 1)))),
        )
      }),
    )
  })
})

describe('buildStatement', () => {
  it('writes the signature of an image as cosign 3 does', () => {
    expect(fromUtf8(buildSignatureStatement(hex, { env: 'prod', a: 'b' }))).toBe(
      `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"${hex}"},"annotations":{"a":"b","env":"prod"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`,
    )
    expect(fromUtf8(buildSignatureStatement(hex, {}))).toContain('"annotations":{}')
  })

  it('splices the predicate in byte for byte, and reads it back', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('', ' ', '\n', '\r\n\t '), fc.string(), (json, blank, name) => {
        const predicate = utf8(`${blank}${json}${blank}`)
        const parts = { version: '0.1', subjects: [{ name, digest: { sha256: hex } }], predicateType: 't:x', predicate } as const
        const payload = buildStatement(parts)
        expect(fromUtf8(payload)).toContain(fromUtf8(predicate))
        const statement = parseStatement(payload)
        expect(statement).toMatchObject({ version: '0.1', subjects: [{ name }] })
        expect(json.trim() === 'null' || fromUtf8(statement.predicateBytes as Uint8Array) === json.trim()).toBe(true)
      }),
    )
  })

  it.each(['', '{', '{}{}', '{},"predicateType":"evil"', '{"a":1,"a":2}', '}'])(
    'attack: the predicate %j would break out of its place',
    (predicate) => {
      const parts = { version: '1', subjects: [{ digest: { sha256: hex } }], predicateType: 't:x', predicate: utf8(predicate) } as const
      expect(refusal(() => buildStatement(parts))).toBe('predicate_malformed')
    },
  )
})

describe('isSignatureStatement', () => {
  it('is true for the type of signatures alone', () => {
    expect(isSignatureStatement(parseStatement(buildSignatureStatement(hex, {})))).toBe(true)
    for (const predicateType of [
      'https://sigstore.dev/cosign/sign/v1/',
      'https://sigstore.dev/cosign/sign/v2',
      'HTTPS://sigstore.dev/cosign/sign/v1',
    ]) {
      expect(isSignatureStatement({ predicateType })).toBe(false)
    }
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)("cosign's own statements", () => {
  const samples = join(folder ?? '', 'cosign-3.1.1')

  it('of signatures are written byte for byte', () => {
    for (const name of ['io1.json', 'sign.bundle.json']) {
      const { content } = parseBundle(readFileSync(join(samples, 'images', name)))
      const payload = content.kind === 'dsse' ? content.envelope.payload : new Uint8Array()
      const [subject] = parseStatement(payload).subjects
      expect(fromUtf8(buildSignatureStatement(subject?.digest['sha256'] ?? '', subject?.annotations ?? {}))).toBe(fromUtf8(payload))
    }
  })

  it('of attestations are read and written back byte for byte', () => {
    const bundles = ['attest-new', 'all-in-one', 'new-bundle-fallback-tag'].flatMap((room) =>
      readdirSync(join(samples, room))
        .filter((name) => name.startsWith('blob_'))
        .map((name) => readFileSync(join(samples, room, name)))
        .filter((blob) => blob.includes('dsseEnvelope')),
    )
    const sortedByName = new Set<string>()
    for (const blob of bundles) {
      const { content } = parseBundle(blob)
      const payload = content.kind === 'dsse' ? content.envelope.payload : new Uint8Array()
      const { version, subjects, predicateType, predicateBytes } = parseStatement(payload)
      // A predicate that is a string (SPDX tag-value) makes cosign sort the members of the statement.
      if (predicateBytes?.[0] === 0x22) {
        sortedByName.add(predicateType)
        continue
      }
      const parts = subjects.map(({ name, digest, annotations }) => (name === undefined ? { digest, annotations } : { name, digest }))
      expect(fromUtf8(buildStatement({ version, subjects: parts, predicateType, predicate: predicateBytes ?? utf8('null') }))).toBe(
        fromUtf8(payload),
      )
    }
    expect(bundles.length).toBeGreaterThan(8)
    expect([...sortedByName]).toEqual(['https://spdx.dev/Document'])
  })

  it('that were signed verbatim keep their big numbers', () => {
    const { predicateBytes } = parseStatement(readFileSync(join(samples, 'attest-blob/stmt.json')))
    expect(fromUtf8(predicateBytes as Uint8Array)).toBe('{"n":12345678901234567890,"f":1.10}')
  })
})
