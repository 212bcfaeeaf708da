import { describe, expect, it } from 'vitest'
import {
  fromControllerImage,
  fromKyvernoImage,
  fromScope,
  splitTag,
  toKyvernoImage,
  toScopes,
} from '../../src/policy-exchange/image-globs.ts'
import { fromWildcard, nameFrom, toSearch, toWildcard } from '../../src/policy-exchange/names.ts'
import { keyName } from '../../src/policy-exchange/keys.ts'
import { equalitiesOf, cueCondition, kyvernoCondition } from '../../src/policy-exchange/cel.ts'

describe('image patterns of Kyverno', () => {
  it.each<[string, readonly string[] | undefined]>([
    ['*', ['**']],
    ['registry.example/acme/*', ['registry.example/acme/**']],
    ['registry.example/acme/app:*', ['registry.example/acme/app']],
    ['registry.example/acme/app@*', ['registry.example/acme/app']],
    ['registry.example/acme/app:v*', ['registry.example/acme/app:v**']],
    ['localhost:5000/app:1', ['localhost:5000/app:1']],
    ['localhost:5000*', ['localhost:5000**']],
    ['*:latest', ['**:latest']],
    ['docker.io/nginx:*', ['docker.io/nginx', 'docker.io/library/nginx']],
    ['docker.io/*', ['docker.io/**']],
    [`registry.example/app@sha256:${'0'.repeat(64)}`, undefined],
  ])('%s', (wildcard, globs) => {
    expect(fromKyvernoImage(wildcard)).toEqual(globs)
  })

  it.each<[string, readonly string[], boolean]>([
    ['**', ['*'], true],
    ['registry.example/**', ['registry.example/*'], true],
    ['registry.example/*', ['registry.example/*'], false],
    ['registry.example/a?', ['registry.example/a?:*', 'registry.example/a?@*'], false],
    ['registry.example/app', ['registry.example/app:*', 'registry.example/app@*'], true],
    ['registry.example/app:v1', ['registry.example/app:v1'], true],
  ])('of %s', (glob, wildcards, exact) => {
    expect(toKyvernoImage(glob)).toEqual({ wildcards, exact })
  })
})

describe('image patterns of policy-controller', () => {
  it.each([
    ['*', 'index.docker.io/library/*'],
    ['*/*', 'index.docker.io/*/*'],
    ['**', '**'],
    ['registry.example/app:**', 'registry.example/app'],
    ['registry.example/app:v*', 'registry.example/app:v*'],
  ])('%s', (glob, ours) => {
    expect(fromControllerImage(glob)).toEqual([ours])
  })
})

describe('scopes of policy.json', () => {
  it.each<[string, readonly string[] | undefined]>([
    ['', ['**']],
    ['registry.example', ['registry.example/**']],
    ['registry.example/a', ['registry.example/a', 'registry.example/a/**']],
    ['registry.example:5000/a:v1', ['registry.example:5000/a:v1']],
    ['*.example.com', ['**.example.com/**']],
    [`registry.example/a@sha256:${'0'.repeat(64)}`, undefined],
  ])('%s', (scope, globs) => {
    expect(fromScope(scope)).toEqual(globs)
  })

  it('stand for globs of whole names, and what they hold beyond is said', () => {
    expect(toScopes(['**', '**.example.com/**', 'registry.example/**', 'registry.example/a:v1'])).toEqual({
      scopes: ['', '*.example.com', 'registry.example', 'registry.example/a:v1'],
      wider: [],
      impossible: [],
    })
    expect(toScopes(['registry.example/a', 'registry.example/b/**', 'registry.example/*'])).toEqual({
      scopes: ['registry.example/a', 'registry.example/b'],
      wider: [
        { scope: 'registry.example/a', lacking: 'registry.example/a/**' },
        { scope: 'registry.example/b', lacking: 'registry.example/b' },
      ],
      impossible: ['registry.example/*'],
    })
  })
})

describe('names', () => {
  it('split at the colon before a tag, not at the one before a port', () => {
    expect(splitTag('a:5000/b')).toEqual({ place: 'a:5000/b' })
    expect(splitTag('a:5000/b:c')).toEqual({ place: 'a:5000/b', tag: 'c' })
    expect(splitTag('a:b')).toEqual({ place: 'a', tag: 'b' })
  })

  it('are wildcards where a wildcard means the same', () => {
    expect(fromWildcard('a*b')).toEqual({ kind: 'glob', value: 'a**b' })
    expect(fromWildcard('a?')).toEqual({ kind: 'pattern', value: 'a(?s:.)' })
    expect(toWildcard({ kind: 'glob', value: 'a**b' })).toBe('a*b')
    expect(toWildcard({ kind: 'glob', value: 'a*b' })).toBeUndefined()
    expect(toWildcard({ kind: 'exact', value: 'a*' })).toBeUndefined()
    expect(toWildcard({ kind: 'pattern', value: 'a' })).toBeUndefined()
  })

  it('are anchored patterns everywhere else', () => {
    expect(toSearch({ kind: 'exact', value: 'a.b' })).toBe('^a\\.b$')
    expect(toSearch({ kind: 'glob', value: 'a/*/**?' })).toBe('^a/[^/]*/(?s:.*)[^/]$')
    expect(toSearch({ kind: 'pattern', value: 'a|b' })).toBe('^(?:a|b)$')
  })

  it('of keys are names of files, and of rules what rules may be called', () => {
    expect(['/etc/a.pub', 'awskms:///alias/x', 'k8s://ns/key', 'cosign.pem'].map(keyName)).toEqual([
      'a.pub',
      'alias-x.pub',
      'ns-key.pub',
      'cosign.pem',
    ])
    expect(['ä b', '--x', ''].map(nameFrom)).toEqual(['b', 'x', 'unnamed'])
  })
})

describe('conditions', () => {
  it.each<[string, string, Parameters<typeof kyvernoCondition>[2], string | undefined]>([
    ['{{ a.b }}', 'Equals', 'x', 'predicate.a.b == "x"'],
    ['{{ a."b-c"[0] }}', 'NotEquals', true, '!(predicate.a["b-c"][0] == true)'],
    ['{{ a.package }}', 'Equals', 3, 'predicate.a["package"] == 3'],
    ['{{ a }}', 'Equals', 'x*', 'predicate.a.matches("^x(?s:.*)$")'],
    ['{{ a }}', 'AnyNotIn', ['x', 'y'], '!(predicate.a in ["x", "y"])'],
    ['{{ a }}', 'AnyIn', ['x*'], undefined],
    ['{{ a }}', 'LessThan', 3, 'predicate.a < 3'],
    ['{{ a }}', 'LessThan', '3d', undefined],
    ['{{ a }}', 'AllIn', ['x'], undefined],
    ['{{ a }}', 'Equals', '{{ b }}', undefined],
    ['{{ length(a) }}', 'Equals', 1, undefined],
    ['{{ a[?b] }}', 'Equals', 1, undefined],
    ['a', 'Equals', 1, undefined],
  ])('of Kyverno: %s %s %j', (key, operator, value, cel) => {
    expect(kyvernoCondition(key, operator, value)).toBe(cel)
  })

  it.each<[string, string | undefined]>([
    ['predicateType: "x"', ''],
    ['predicate: a: b: "c"', 'predicate.a.b == "c"'],
    ['predicate: { a: 1, "b-c": true\n d: { e: "f" } }', 'predicate.a == 1 && predicate["b-c"] == true && predicate.d.e == "f"'],
    ['predicate: a: <3', undefined],
    ['predicate: a: string', undefined],
    ['predicate: a: "x" | "y"', undefined],
    ['subject: "x"', undefined],
    ['import "time"\nbefore: time.Parse', undefined],
    ['predicate: { a: 1', undefined],
  ])('in CUE: %s', (cue, cel) => {
    expect(cueCondition(cue)).toBe(cel)
  })

  it('in CEL are equalities, or none', () => {
    expect(equalitiesOf(`predicate.a.b == 'x' && predicate.c == 3`)).toEqual([
      { steps: ['a', 'b'], value: 'x' },
      { steps: ['c'], value: 3 },
    ])
    for (const other of [
      'predicate.a == "x" ||  predicate.b == 1',
      'predicate.a != 1',
      'predicate.a == 1 &&',
      'artifact.tag == "x"',
      'predicate.a == predicate.b',
      '',
    ])
      expect([other, equalitiesOf(other)]).toEqual([other, undefined])
  })
})
