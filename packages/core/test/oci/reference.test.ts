import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPlace, formatReference, parseReference, type ImageReference } from '@countersign/core/oci/reference'
import { parseDigest } from '@countersign/core/digest'
import { refusal } from '../refusal.ts'

const hex = '0122dd5f6f9f8793faedba8279f4051c3448038ac0c5019696e56836d708e910'
const digest = `sha256:${hex}`

describe('parseReference', () => {
  it.each([
    ['alpine', 'index.docker.io/library/alpine:latest'],
    ['alpine:3', 'index.docker.io/library/alpine:3'],
    ['docker.io/alpine', 'index.docker.io/library/alpine:latest'],
    ['index.docker.io/me/app', 'index.docker.io/me/app:latest'],
    ['me/app:v1', 'index.docker.io/me/app:v1'],
    ['ghcr.io/me/app', 'ghcr.io/me/app:latest'],
    ['ghcr.io/app', 'ghcr.io/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:V1.0_x', 'localhost:5000/a/b/c:V1.0_x'],
    ['127.0.0.1:5055/t/leg', '127.0.0.1:5055/t/leg:latest'],
    ['[::1]:5000/a', '[::1]:5000/a:latest'],
    [`reg.example/a@${digest}`, `reg.example/a@${digest}`],
    [`reg.example:80/a:tag@${digest}`, `reg.example:80/a:tag@${digest}`],
    ['reg.example/a__b/c.d/e-f/g---h', 'reg.example/a__b/c.d/e-f/g---h:latest'],
    ['oci:dir', 'oci:dir'],
    ['oci:./a/b:v1', 'oci:./a/b:v1'],
    ['oci:/a:b/c', 'oci:/a:b/c'],
    [`oci:/a@b:tag@${digest}`, `oci:/a@b:tag@${digest}`],
    ['oci:node@1', 'oci:node@1'],
    ['oci:C:\\images', 'oci:C:\\images'],
    ['oci-archive:/tmp/x.tar:v1', 'oci-archive:/tmp/x.tar:v1'],
    [`oci-archive:x.tar@${digest}`, `oci-archive:x.tar@${digest}`],
  ])('reads %s as %s, and reads that as itself', (text, whole) => {
    expect(formatReference(parseReference(text))).toBe(whole)
    expect(formatReference(parseReference(whole))).toBe(whole)
  })

  it('gives the parts', () => {
    expect(parseReference(`reg.example:5000/a/b:t@${digest}`)).toEqual({
      place: { kind: 'registry', registry: 'reg.example:5000', repository: 'a/b' },
      tag: 't',
      digest: parseDigest(digest),
    })
    expect(formatPlace(parseReference('me/app').place)).toBe('index.docker.io/me/app')
    expect(parseReference('oci:d')).toEqual({ place: { kind: 'layout', directory: 'd' } })
  })

  it.each([
    '',
    ' ',
    'Alpine',
    'reg.example/App',
    'REG.example/app',
    'a b',
    'a:',
    'a:b:c',
    `a:${'x'.repeat(129)}`,
    'a@',
    'a@sha256:12',
    `a@SHA256:${hex}`,
    `a@sha256:${hex.toUpperCase()}`,
    `a@md5:${'0'.repeat(32)}`,
    `a@${digest}@${digest}`,
    '/a',
    'a/',
    'a//b',
    'reg.example/',
    'reg.example:0/a',
    'reg.example:99999/a',
    'reg.example:x/a',
    'https://reg.example/a',
    'docker://a',
    'a/../b',
    '.',
    '..',
    'reg..example/a',
    '-reg.example/a',
    'user@reg.example/a',
    'a/_b',
    'a/b-',
    'a/b..c',
    `reg.example/${'a'.repeat(256)}`,
    'oci:',
    `oci:@${digest}`,
    'oci-archive:',
    'oci:a\u0000b',
    'a\n',
    `${'a.'.repeat(2000)}/a`,
    'x'.repeat(5000),
    `oci:d@sha256:${'0'.repeat(63)}`,
  ])('refuses %j', (text) => {
    expect(refusal(() => parseReference(text))).toBe('reference_malformed')
  })

  it('is the inverse of formatReference', () => {
    const component = fc.stringMatching(/^[a-z0-9]+(?:[._-][a-z0-9]+)?$/, { maxLength: 12 })
    const repository = fc.array(component, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('/'))
    const registry = fc.constantFrom('index.docker.io', 'localhost', 'localhost:5000', 'reg.example', '[::1]:1')
    const reference: fc.Arbitrary<ImageReference> = fc.record({
      place: fc.record({ kind: fc.constant('registry' as const), registry, repository }),
      tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/),
    })
    fc.assert(
      fc.property(reference, (value) => {
        expect(parseReference(formatReference(value))).toEqual(value)
      }),
    )
  })

  it('refuses any text with its own code and nothing else, without delay', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect([undefined, 'reference_malformed']).toContain(refusal(() => parseReference(text)))
      }),
    )
    const start = performance.now()
    for (const text of [`${'a-'.repeat(2000)}!`, `x.${'a-'.repeat(2000)}/b`, `r.e/${'a_'.repeat(2000)}`])
      refusal(() => parseReference(text))
    expect(performance.now() - start).toBeLessThan(5_000)
  })
})
