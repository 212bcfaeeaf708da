import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { predicateTypeOf, wrapPredicate } from '@countersign/core/predicate/types'
import { refusal } from '../refusal.ts'

const now = '2026-11-20T08:12:59Z'

describe('predicateTypeOf', () => {
  it.each([
    ['custom', 'https://cosign.sigstore.dev/attestation/v1'],
    ['slsaprovenance', 'https://slsa.dev/provenance/v0.2'],
    ['slsaprovenance02', 'https://slsa.dev/provenance/v0.2'],
    ['slsaprovenance1', 'https://slsa.dev/provenance/v1'],
    ['link', 'https://in-toto.io/Link/v1'],
    ['spdx', 'https://spdx.dev/Document'],
    ['spdxjson', 'https://spdx.dev/Document'],
    ['cyclonedx', 'https://cyclonedx.org/bom'],
    ['vuln', 'https://cosign.sigstore.dev/attestation/vuln/v1'],
    ['openvex', 'https://openvex.dev/ns'],
    ['https://example.com/my/v1', 'https://example.com/my/v1'],
    ['urn:x:y', 'urn:x:y'],
  ])('%s is %s', (type, uri) => {
    expect(predicateTypeOf(type)).toBe(uri)
  })

  it.each(['', 'unknown', 'SPDX', 'toString', '__proto__', '/relative', 'https:', 'a b:c', 'https://a b', 'x:\n'])('%j is none', (type) => {
    expect(predicateTypeOf(type)).toBeUndefined()
    expect(refusal(() => wrapPredicate(type, utf8('{}'), now))).toBe('usage')
  })
})

describe('wrapPredicate', () => {
  it('wraps custom predicates byte for byte as cosign 3.1.1 does', () => {
    const { predicate } = wrapPredicate('custom', utf8('a<b>&\u2028 \u007f"\\/\t\n'), now)
    expect(fromUtf8(predicate)).toBe(String.raw`{"Data":"a<b>&` + '\u2028 \u007f' + String.raw`\"\\/\t\n","Timestamp":"${now}"}`)
  })

  it('makes a string of SPDX tag-value text', () => {
    expect(fromUtf8(wrapPredicate('spdx', utf8('SPDXVersion: SPDX-2.3\n'), now).predicate)).toBe(String.raw`"SPDXVersion: SPDX-2.3\n"`)
  })

  it('keeps every other predicate byte for byte', () => {
    const bytes = utf8(' { "n" : 12345678901234567890,\n"f":1.10 } \n')
    for (const type of ['spdxjson', 'cyclonedx', 'vuln', 'openvex', 'slsaprovenance1', 'link', 'https://example.com/x']) {
      expect(wrapPredicate(type, bytes, now).predicate).toBe(bytes)
    }
  })

  it.each(['', '[]', '"text"', '1', '{"a":1,"a":2}', '{', '\ufeff{}'])('refuses %j as a predicate of a JSON type', (text) => {
    expect(refusal(() => wrapPredicate('cyclonedx', utf8(text), now))).toBe('predicate_malformed')
  })

  it('refuses text that is not UTF-8 where it becomes a string', () => {
    for (const type of ['custom', 'spdx']) expect(refusal(() => wrapPredicate(type, Uint8Array.of(0xff), now))).toBe('predicate_malformed')
  })
})
