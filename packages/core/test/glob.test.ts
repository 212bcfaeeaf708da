import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob, matchesGlob } from '@countersign/core/glob'
import { refusal } from './refusal.ts'

describe('globs', () => {
  it.each([
    ['a/*/c', 'a/b/c', true],
    ['a/*/c', 'a//c', true],
    ['a/*/c', 'a/b/b/c', false],
    ['a/**/c', 'a/b/b/c', true],
    ['a/**', 'a/', true],
    ['a/**', 'a', false],
    ['**', '', true],
    ['*', 'a/b', false],
    ['*', '', true],
    ['?', '/', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*@example.com', 'dev@example.com', true],
    ['*@example.com', 'dev@example.com.evil', false],
    ['https://github.com/acme/*', 'https://github.com/acme/x/y', false],
    ['https://github.com/acme/**', 'https://github.com/acme/x/y@refs/heads/main', true],
    ['a.c', 'abc', false],
    ['[a-z]', 'a', false],
    ['[a-z]', '[a-z]', true],
    ['A', 'a', false],
    ['a*b*c', 'aXbXbXc', true],
  ])('%s on %s: %s', (glob, name, expected) => {
    expect(matchesGlob(glob, name)).toBe(expected)
  })

  it('agree with the regular expression that says the same', () => {
    const character = fc.constantFrom('a', 'b', '/', '.')
    const glob = fc.array(fc.oneof(character, fc.constantFrom('*', '?')), { minLength: 1, maxLength: 8 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(glob, fc.array(character, { maxLength: 8 }), (pattern, letters) => {
        fc.pre(!pattern.includes('***'))
        const name = letters.join('')
        const source = pattern
          .replaceAll('.', '\\.')
          .replaceAll('**', '\u0001')
          .replaceAll('*', '[^/]*')
          .replaceAll('\u0001', '.*')
          .replaceAll('?', '[^/]')
        expect(matchesGlob(pattern, name)).toBe(new RegExp(`^${source}$`).test(name))
      }),
      { numRuns: 2000 },
    )
  })

  it('attack: no glob makes the matcher slow', () => {
    const start = performance.now()
    compileGlob(`${'*a'.repeat(400)}b`)('a'.repeat(5_000))
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it.each(['', '***', 'a****', 'x'.repeat(1025)])('refuses %j', (glob) => {
    expect(refusal(() => compileGlob(glob))).toBe('pattern_malformed')
  })
})
