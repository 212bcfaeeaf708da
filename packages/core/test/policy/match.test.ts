import { describe, expect, it } from 'vitest'
import { compileMatch } from '../../src/policy/match.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { digest } from './fixture.ts'

function matchesImage(glob: string, reference: string): boolean {
  return compileMatch({ images: [glob], files: [], mediaTypes: [] })({
    kind: 'image',
    reference: parseReference(reference),
    digests: [digest],
  })
}

describe('a glob of images', () => {
  it.each([
    ['registry.example/**', 'registry.example/a/b:1', true],
    ['registry.example/*', 'registry.example/a', true],
    ['registry.example/*', 'registry.example/a/b', false],
    ['registry.example/app', 'registry.example/app@sha256:' + '0'.repeat(64), true],
    ['registry.example/app:v*', 'registry.example/app:v1', true],
    ['registry.example/app:v*', 'registry.example/app:latest', false],
    ['registry.example/app:v*', `registry.example/app@sha256:${'0'.repeat(64)}`, false],
    ['registry.example:5000/**', 'registry.example:5000/x', true],
    ['localhost:5000/x', 'localhost:5000/x:1', true],
    ['localhost/x', 'localhost/x:1', true],
    ['localhost', 'docker.io/library/localhost', true],
    ['my.app', 'docker.io/library/my.app', true],
    ['docker.io', 'docker.io/library/docker.io', true],
    ['nginx:1.*', 'docker.io/library/nginx:1.2', true],
    ['team/ap?', 'team/app', true],
    ['n?inx', 'docker.io/library/nginx', false],
    ['*/app', 'registry.example/app', true],
    ['**', 'registry.example/a/b', true],
    ['nginx', 'docker.io/library/nginx', true],
    ['docker.io/team/**', 'team/app', true],
    ['team/*', 'team/app', true],
  ])('%s, %s: %s', (glob, reference, expected) => {
    expect(matchesImage(glob, reference)).toBe(expected)
  })

  it.each([
    ['registry.example/**', 'registry.example.evil.example/a'],
    ['registry.example/**', 'evil.example/registry.example/a'],
    ['registry.example/**', 'registry.example:5000/a'],
    ['team/**', 'evil.example/team/app'],
    ['registry.example/app', 'registry.example/app-evil'],
    ['**', 'oci:registry.example/app'],
  ])('attack: %s does not match %s', (glob, reference) => {
    expect(matchesImage(glob, reference)).toBe(false)
  })
})

describe('a match', () => {
  const file = (path: string, mediaType?: string) =>
    ({ kind: 'file', path, digests: [digest], ...(mediaType === undefined ? {} : { mediaType }) }) as const

  it('is by any of its globs, each kind of artifact by its own', () => {
    const matches = compileMatch({ images: ['registry.example/a', 'registry.example/b'], files: ['a/*', 'b/*'], mediaTypes: [] })
    const image = (name: string) => ({ kind: 'image', reference: parseReference(name), digests: [digest] }) as const
    const found = ['a', 'b', 'c'].map((name) => [matches(image(`registry.example/${name}`)), matches(file(`${name}/x`))])
    expect(found).toEqual([
      [true, true],
      [true, true],
      [false, false],
    ])
    expect(matches(file('registry.example/a'))).toBe(false)
  })

  it('of files is over the whole path', () => {
    const matches = compileMatch({ images: [], files: ['dist/*.tar.gz'], mediaTypes: [] })
    expect([matches(file('dist/a.tar.gz')), matches(file('dist/x/a.tar.gz')), matches(file('/tmp/dist/a.tar.gz'))]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('of media types narrows, and alone is enough', () => {
    const narrowed = compileMatch({ images: [], files: ['**'], mediaTypes: ['application/x'] })
    expect([narrowed(file('a', 'application/x')), narrowed(file('a', 'application/y')), narrowed(file('a'))]).toEqual([true, false, false])
    expect(compileMatch({ images: [], files: [], mediaTypes: ['application/x'] })(file('a', 'application/x'))).toBe(true)
  })
})
