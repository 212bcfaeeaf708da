import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { encodePem } from '../../src/pem.ts'
import { demandsOf, needsTrustedTime, trialsOf } from '../../src/policy/demands.ts'
import { explainPolicy } from '../../src/policy/explain.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import { gravest } from '../../src/policy/verdict.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import { newAuthority } from '../x509/issue.ts'
import { told } from '../told.ts'
import { certified, compiled, daysAgo, now, proven, recorded, somebody } from './fixture.ts'

type Parts = { readonly [name: string]: JsonValue }

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const rootPem = encodePem('CERTIFICATE', newAuthority().root)
const people = {
  alice: { keys: [alice.pem], person: 'alice', roles: ['security'] },
  bob: { keys: [{ pem: bob.pem, validFrom: formatTime(daysAgo(30)) }], person: 'bob', roles: ['release', 'security'] },
}
const signed = (more: Parts = {}, by: JsonValue = 'alice'): JsonValue => ({ name: 'signed', signature: { by, ...more } })
const attested = (more: Parts = {}): JsonValue => ({ name: 'sbom', attestation: { type: 'spdx', by: 'alice', ...more } })
const moment = formatTime(daysAgo(5))

describe('a demand is told', () => {
  const all: Parts = { threshold: 2, of: ['alice', 'bob'] }

  it.each<[string, JsonValue]>([
    ['by one', signed()],
    ['by one of one', signed({}, { anyOf: ['alice'] })],
    ['by one of two', signed({}, { anyOf: ['alice', 'bob'] })],
    ['by each of two', signed({}, { allOf: ['alice', 'bob'] })],
    ['by two of three', signed({}, { threshold: 2, of: ['alice', 'bob', 'ci'] })],
    ['by two of a pattern', signed({}, { threshold: 2, of: ['ci'] })],
    ['by different people', signed({}, { ...all, distinct: 'person' })],
    ['by different people in different roles', signed({}, { ...all, distinct: 'role' })],
    ['by people with roles', signed({}, { ...all, roles: ['security', 'release'] })],
    ['by a group in a group', signed({}, { allOf: [{ anyOf: ['alice', 'ci'] }, 'bob'] })],
    ['with annotations', signed({ annotations: { env: 'prod', team: 'a' } })],
    ['at a proven time', signed({ time: 'required' })],
    ['in a log', signed({ logged: true })],
    ['before a moment', signed({ before: moment })],
    ['after a moment', signed({ after: moment })],
    ['in the last second', signed({ maxAge: '1s' })],
    ['in the last seconds', signed({ maxAge: '90s' })],
    ['in the last minutes', signed({ maxAge: '120s' })],
    ['in the last minute', signed({ maxAge: '60s' })],
    ['in the last hours', signed({ maxAge: '7200s' })],
    ['in the last day', signed({ maxAge: '24h' })],
    ['in the last days', signed({ maxAge: '30d' })],
    ['at every time at once', signed({ time: 'required', logged: true, before: moment, after: formatTime(daysAgo(9)), maxAge: '8d' })],
    ['that expires', signed({ expires: 'required' })],
    ['that expires soon', signed({ maxLifetime: '1d' })],
    ['that is bound to a name', signed({ boundName: 'required' })],
    ['that expires and is bound', signed({ maxLifetime: '36h', boundName: 'required' })],
    ['of an attestation', attested()],
    ['of an attestation with a condition', attested({ condition: ' predicate.ok ' })],
    ['of the newest attestation', attested({ newest: true, time: 'required' })],
    ['of platforms', { name: 'platforms', platforms: ['linux/amd64', 'linux/arm64'] }],
    ['that warns of all', { ...(signed() as Parts), onMissing: 'warn', onFail: 'warn' }],
    ['that allows what is missing', { ...(signed() as Parts), onMissing: 'allow', onFail: 'warn' }],
    ['about some images', { ...(signed() as Parts), match: { images: ['registry.example/prod/**', 'registry.example/x'] } }],
    ['about some files', { ...(signed() as Parts), match: { files: ['dist/**'], mediaTypes: ['application/x', 'application/y'] } }],
    ['about some types', { ...(signed() as Parts), match: { mediaTypes: ['application/x'] } }],
  ])('%s', async (_what, rule) => {
    const ci = { certificate: { issuer: 'https://issuer.example', subject: { glob: '*@example.com' } } }
    const policy = await compiled({ match: { images: ['**'], files: ['**'] }, identities: { ...people, ci }, require: [rule] })
    expect(told(explainPolicy(policy).rules[0])).toMatchSnapshot()
    recorded(policy, [])
  })
})

describe('an identity is told', () => {
  const window = { validFrom: formatTime(daysAgo(9)), validUntil: moment }

  it.each<[string, JsonValue]>([
    ['by a key', { keys: [alice.pem] }],
    ['by two keys', { keys: [alice.pem, { pem: bob.pem, ...window }] }],
    ['by a key from a moment on', { keys: [{ pem: alice.pem, validFrom: moment }] }],
    ['by a key until a moment', { keys: [{ pem: alice.pem, validUntil: moment }] }],
    ['by a fingerprint', { keys: [{ pem: alice.pem }], roles: ['a', 'b'] }],
    ['by a certificate', { certificate: { issuer: 'https://i', subject: { pattern: 'x.*' }, ...window } }],
    ['by extensions', { certificate: { issuer: 'https://i', subject: 's', extensions: { buildTrigger: 'push', '99': { glob: 'x*' } } } }],
    ['by an own authority', { x509: { roots: [rootPem], subject: 'alice@acme.example' } }],
    [
      'by all names',
      { x509: { roots: [rootPem, rootPem], subject: { glob: '*@acme.example' }, commonName: 'Alice', issuer: 'CN=x', ...window } },
    ],
    ['by the clock alone', { x509: { roots: [rootPem], commonName: 'Alice', verifierClock_UNSAFE: 'air gap' }, person: 'alice' }],
  ])('%s', async (_what, who) => {
    const policy = await compiled({ identities: { who }, require: [signed({}, 'who')] })
    expect(told(explainPolicy(policy).rules[0]?.identities)).toMatchSnapshot()
    recorded(policy, [await proven(alice.signer, { signedMs: daysAgo(20) }), await proven(bob.signer), await proven(certified('x@y'))])
  })
})

describe('a list of revocations is told', () => {
  it.each<[string, JsonValue]>([
    ['that is required', { name: 'main', keys: [board.pem] }],
    ['that is not', { name: 'main', keys: [board.pem], required: false }],
    ['of some version', { name: 'main', keys: [board.pem], minVersion: 2 }],
    ['that several sign', { name: 'main', keys: [board.pem, bob.pem], threshold: 2, minVersion: 1 }],
  ])('%s', async (_what, list) => {
    const policy = await compiled({ identities: { alice: people.alice }, revocations: [list], require: [signed()] })
    expect(told(explainPolicy(policy).revocations)).toMatchSnapshot()
    recorded(policy, [await proven(alice.signer)])
  })
})

it('mirrors are told with what stands for the stars, and single names without', async () => {
  const mirrors = [
    { from: 'a.example/**', to: 'b.example/c/**' },
    { from: 'a.example/x', to: 'b.example/y' },
  ]
  const policy = await compiled({ mirrors, identities: people, require: [signed({ boundName: 'required' })] })
  expect(explainPolicy(policy).mirrors).toEqual([
    'what is signed for a.example/** may be used as b.example/c/**',
    'what is signed for a.example/x may be used as b.example/y',
  ])
})

describe('what is suspicious is told', () => {
  const acme = (more: Parts): Parts => ({ identities: { who: { x509: { roots: [rootPem], ...more } } }, require: [signed({}, 'who')] })
  const fulcio = (issuer: JsonValue, subject: JsonValue): Parts => ({
    identities: { who: { certificate: { issuer, subject } } },
    require: [signed({}, 'who')],
  })
  const when = (condition: string): Parts => ({ identities: people, require: [attested({ condition }), signed({}, 'bob')] })
  const rules = (...require: JsonValue[]): Parts => ({ identities: { alice: people.alice }, require })
  const about = (policy: Parts, rule: Parts): Parts => ({ ...rules({ ...(signed() as Parts), match: rule }), match: policy })

  it.each<[string, Parts]>([
    ['whoever has a certificate of an authority', acme({ issuer: 'CN=x' })],
    ['any common name of an authority', acme({ commonName: { glob: '**' } })],
    ['a common name of an authority', acme({ commonName: 'alice' })],
    ['any subject of an issuer', acme({ subject: { pattern: '.*' }, issuer: { glob: 'CN=*' } })],
    ['somebody of an authority', acme({ subject: 'alice@acme.example', commonName: { glob: '**' } })],
    ['an open subject of an authority', acme({ subject: { glob: '*acme.example' } })],
    ['an open issuer of an authority', acme({ subject: 'alice@acme.example', issuer: { glob: 'CN=acme*' } })],
    ['any issuer', fulcio({ glob: '**' }, 'alice@acme.example')],
    ['any subject', fulcio('https://i', { pattern: '.+' })],
    ['an issuer that begins with anything', fulcio({ glob: '**.example' }, 'alice@acme.example')],
    ['an issuer whose dot is any character', fulcio({ pattern: 'https://token.example' }, 'alice@acme.example')],
    ['an issuer whose dot is one', fulcio({ pattern: 'https://token\\.example' }, 'alice@acme.example')],
    ['a subject that begins with anything', fulcio('https://i', { pattern: '.*acme' })],
    ['a subject that begins with anything, in other words', fulcio('https://i', { pattern: '(?s:.*)/release' })],
    ['a subject that ends with anything', fulcio('https://i', { pattern: 'https://code/acme.+' })],
    ['a subject that ends with a slash and anything', fulcio('https://i', { pattern: 'https://code/acme/.*' })],
    ['a subject that ends with anything after an at', fulcio('https://i', { glob: 'https://code/acme/w.yml@refs/heads/*' })],
    ['both ends open', fulcio('https://i', { glob: '*acme*' })],
    ['a glob with a dot', fulcio('https://i', { glob: 'https://code.example.com/acme/*' })],
    ['a condition without input', when('1 == 1')],
    ['a condition over an artifact', when("artifact.kind == 'image'")],
    ['a condition that holds for nothing', when('!has(predicate.x) || predicate.x')],
    ['all of an empty list', when('predicate.a.all(x, x)')],
    ['all of a list whose size is asked', when('predicate.a.all(x, x) && size(predicate.a) > 0')],
    ['all of a list in which one exists', when('predicate.a.all(x, x) && predicate.a.exists(x, x)')],
    ['all of a list in which just one exists', when('predicate.a.all(x, x) && predicate.a.exists_one(x, x)')],
    ['a rule that allows everything', rules({ ...(signed() as Parts), onMissing: 'allow', onFail: 'allow' })],
    ['a rule that allows what is missing', rules({ ...(signed() as Parts), onMissing: 'allow' })],
    ['a rule that warns of what is missing', rules({ ...(signed() as Parts), onMissing: 'warn', onFail: 'warn' })],
    ['a rule that is milder with what fails', rules({ ...(signed() as Parts), onFail: 'warn' })],
    ['platforms that may be missing', rules({ name: 'p', platforms: ['linux/amd64'], onMissing: 'warn' }, signed())],
    [
      'two rules that say the same',
      rules(signed({ annotations: { a: 'b' } }), { ...(signed({ annotations: { a: 'b' } }) as Parts), name: 'again' }),
    ],
    [
      'two rules that differ in an annotation',
      rules(signed({ annotations: { a: 'b' } }), { ...(signed({ annotations: { a: 'c' } }) as Parts), name: 'again' }),
    ],
    [
      'two rules that differ in what they speak of',
      rules(signed(), { ...(signed() as Parts), name: 'again', match: { images: ['registry.example/x'] } }),
    ],
    ['a moment that is older than the age', rules(signed({ before: formatTime(daysAgo(2)), maxAge: '2d' }))],
    ['a moment that is just young enough', rules(signed({ before: formatTime(daysAgo(2) + 1000), maxAge: '2d' }))],
    ['other images', about({ images: ['registry.example/a/**'] }, { images: ['registry.example/b/**'] })],
    ['some of the images', about({ images: ['registry.example/**'] }, { images: ['registry.example/b/**'] })],
    ['more than the images', about({ images: ['registry.example/b/**'] }, { images: ['registry.example/**'] })],
    ['one image with a tag', about({ images: ['registry.example/a:v*'] }, { images: ['registry.example/a:v1'] })],
    ['images of Docker Hub', about({ images: ['nginx'] }, { images: ['library/nginx'] })],
    ['images of this machine', about({ images: ['localhost/a'] }, { images: ['localhost/b'] })],
    ['images of another port', about({ images: ['registry:5000/a'] }, { images: ['registry:5001/a'] })],
    ['files where it speaks of images', about({ images: ['registry.example/**'] }, { files: ['**'] })],
    ['files of another folder', about({ files: ['a.b/c'] }, { files: ['a.b/d'] })],
    ['types alone', about({ images: ['registry.example/**'] }, { mediaTypes: ['application/x'] })],
    [
      'globs of no reference',
      {
        ...rules(signed()),
        match: { images: ['registry.example//x', '/x/y', 'registry.example/x/', 'registry.example/x y', 'registry.example/x@sha256'] },
      },
    ],
    ['a glob with a port and a tag', { ...rules(signed()), match: { images: ['registry.example:5000/x:V1'] } }],
    ['a glob of a rule that fits no reference', about({ images: ['**'] }, { images: ['Registry.example/x'] })],
    ['mirrors that nobody needs', { ...rules(attested(), signed()), mirrors: [{ from: 'a.example/x', to: 'b.example/x' }] }],
    ['everything else allowed', { ...rules(signed()), match: { images: ['**'], unmatched: 'allow' } }],
    ['everything else warned of', { ...rules(signed()), match: { images: ['**'], unmatched: 'warn' } }],
  ])('%s', async (_what, parts) => {
    expect(told(lintPolicy(await compiled(parts), now))).toMatchSnapshot()
  })

  it.each([
    ['has ended this moment', 0, ['key_expired', 'never_satisfied']],
    ['ends in a second', 1000, []],
  ])('a window that %s', async (_what, leftMs, findings) => {
    const validUntil = formatTime(now + leftMs)
    for (const who of [{ keys: [{ pem: alice.pem, validUntil }] }, { certificate: { issuer: 'https://i', subject: 's', validUntil } }]) {
      const policy = await compiled({ identities: { who }, require: [signed({}, 'who')] })
      expect(lintPolicy(policy, now).map(({ finding }) => finding)).toEqual(findings)
    }
  })

  it('a pattern fills as many places as can be asked for', async () => {
    const ci = { certificate: { issuer: 'https://i', subject: { glob: '*@acme.example' } } }
    const by = (threshold: number): JsonValue => ({ threshold, of: ['ci'] })
    for (const [threshold, findings] of [
      [64, []],
      [65, ['never_satisfied']],
    ] as const) {
      const policy = await compiled({ identities: { ci }, require: [signed({}, by(threshold))] })
      expect(lintPolicy(policy, now).map(({ finding }) => finding)).toEqual(findings)
    }
  })
})

describe('before a policy is judged', () => {
  const x509 = (more: Parts = {}): JsonValue => ({ x509: { roots: [rootPem], subject: 'alice@acme.example', ...more } })

  it('is known whether anything needs a trusted time', async () => {
    const needs = async (identity: JsonValue, rule: JsonValue = signed({}, 'who')): Promise<boolean> =>
      needsTrustedTime(await compiled({ identities: { who: identity, alice: people.alice }, require: [rule] }))
    const key = { keys: [alice.pem] }
    expect(await needs(key)).toBe(false)
    expect(await needs(key, { name: 'p', platforms: ['linux/amd64'] })).toBe(false)
    expect(await needs(key, attested())).toBe(false)
    expect(await needs(key, attested({ newest: true }))).toBe(true)
    for (const time of [
      { time: 'required' },
      { logged: true },
      { before: moment },
      { after: moment },
      { maxAge: '1d' },
      { maxLifetime: '1d' },
    ]) {
      expect(await needs(key, signed(time))).toBe(true)
    }
    expect(await needs(key, signed({ expires: 'required', boundName: 'required' }))).toBe(false)
    expect(await needs({ keys: [{ pem: alice.pem, validUntil: moment }] })).toBe(true)
    expect(await needs({ keys: [bob.pem, { pem: alice.pem, validUntil: moment }] })).toBe(false)
    expect(await needs({ certificate: { issuer: 'i', subject: 's', validUntil: moment } })).toBe(false)
    expect(await needs(x509())).toBe(true)
    expect(await needs(x509({ verifierClock_UNSAFE: 'air gap' }))).toBe(false)
  })

  it('is known also of a rule or signer beside others that need none', async () => {
    const identities = { alice: people.alice, windowed: { keys: [{ pem: bob.pem, validUntil: moment }] }, acme: x509() }
    const needs = async (...rules: readonly JsonValue[]): Promise<boolean> =>
      needsTrustedTime(await compiled({ identities, require: rules.map((rule, index) => ({ ...(rule as Parts), name: `rule-${index}` })) }))
    expect(await needs(signed(), signed())).toBe(false)
    expect(await needs(signed(), signed({ time: 'required' }))).toBe(true)
    expect(await needs(signed({}, { anyOf: ['alice', 'windowed'] }))).toBe(true)
    expect(await needs(signed({}, { anyOf: ['alice', 'acme'] }))).toBe(true)
  })

  it('only signers whom a rule names are verified, with globs that are no narrower', async () => {
    const identities = {
      alice: people.alice,
      ci: { certificate: { issuer: 'https://i', subject: { glob: 'https://code/**/w?.yml@*' } } },
      pattern: { certificate: { issuer: { pattern: 'https://.*' }, subject: 's' } },
      acme: x509(),
      bob: people.bob,
      unusedCi: { certificate: { issuer: 'https://j', subject: 't' } },
      unusedAcme: x509({ commonName: 'x' }),
    }
    const policy = await compiled({ identities, require: [signed({}, { anyOf: ['alice', 'ci', 'pattern', 'acme'] })] })
    const demands = demandsOf(policy)
    expect(demands.keys?.signer).toMatchObject({ keys: [{ label: 'alice' }] })
    expect(demands.certificates?.signer).toEqual({
      kind: 'identities',
      identities: [
        { issuer: { kind: 'exact', value: 'https://i' }, subject: { kind: 'glob', value: 'https://code/*/w*.yml@*' } },
        { issuer: { kind: 'pattern', value: 'https://.*' }, subject: { kind: 'exact', value: 's' } },
      ],
    })
    expect(demands.authorities?.signer).toMatchObject({ authorities: [{ text: 'subject alice@acme.example' }] })
    expect(Object.keys(demandsOf(await compiled({ identities, require: [{ name: 'p', platforms: ['linux/amd64'] }] })))).toEqual([])
  })

  it('trials are as many as keys for a key, and one for a certificate', async () => {
    const two = demandsOf(await compiled({ identities: people, require: [signed({}, { anyOf: ['alice', 'bob'] })] }))
    expect(trialsOf(two, { material: { kind: 'public-key' } })).toBe(2)
    expect(trialsOf(two, { material: { kind: 'certificate', chain: [new Uint8Array()] } })).toBe(1)
    expect(trialsOf({}, { material: { kind: 'public-key' } })).toBe(1)
  })
})

it('the gravest of several decisions is the worst of them, and of none it is to allow', () => {
  expect(gravest([])).toBe('allow')
  expect(gravest(['allow', 'warn', 'allow'])).toBe('warn')
  expect(gravest(['deny', 'warn'])).toBe('deny')
  expect(gravest(['warn', 'deny', 'allow'])).toBe('deny')
})
