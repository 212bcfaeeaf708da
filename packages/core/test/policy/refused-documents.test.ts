import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../src/failure.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { compilePolicy, type CompileOptions } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { encodePem } from '../../src/pem.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { issue, nameOf, newAuthority, newKey } from '../x509/issue.ts'
import { told } from '../told.ts'
import { documentOf, somebody } from './fixture.ts'

type Parts = { readonly [name: string]: JsonValue }

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const authority = newAuthority()
const rootPem = encodePem('CERTIFICATE', authority.root)
const leafPem = encodePem('CERTIFICATE', issue({ issuer: authority.issuer, subject: nameOf('Alice'), key: newKey() }))

const identities = {
  alice: { keys: [alice.pem] },
  bob: { keys: [bob.pem], person: 'bob', roles: ['release'] },
  ci: { certificate: { issuer: 'https://i', subject: { glob: 'x*' } } },
}
const good: Parts = { identities, require: [{ name: 'signed', signature: { by: 'alice' } }] }

const identity = (x: JsonValue): Parts => ({ identities: { ...identities, x } })
const keyed = (...keys: JsonValue[]): Parts => identity({ keys })
const certified = (more: Parts): Parts => identity({ certificate: { issuer: 'i', subject: 's', ...more } })
const own = (more: Parts): Parts => identity({ x509: { roots: [rootPem], subject: 'alice@acme.example', ...more } })
const signedBy = (by: JsonValue, more: Parts = {}): Parts => ({ require: [{ name: 'x', signature: { by, ...more } }] })
const attested = (more: Parts): Parts => ({ require: [{ name: 'x', attestation: { type: 'spdx', by: 'alice', ...more } }] })
const rule = (more: Parts): Parts => ({ require: [{ name: 'x', signature: { by: 'alice' }, ...more }] })
const listed = (more: Parts): Parts => ({ revocations: [{ name: 'main', keys: [board.pem], ...more }] })
const mirrored = (from: string, to: string): Parts => ({ mirrors: [{ from, to }] })
const many = (count: number, make: (index: number) => JsonValue): JsonValue[] => Array.from({ length: count }, (_, index) => make(index))
const map = (count: number, make: (index: number) => JsonValue): Parts =>
  Object.fromEntries(many(count, make).map((value, index) => [`n${index}`, value]))
const long = '?'.repeat(300)
const nested = (depth: number): JsonValue => (depth === 0 ? 'alice' : { anyOf: [nested(depth - 1)] })
const windowed = { pem: alice.pem, validFrom: '2026-01-02T00:00:00Z', validUntil: '2026-01-01T23:59:59Z' }

async function failureOf(parts: Parts, options: Partial<CompileOptions> = {}): Promise<CountersignError | undefined> {
  try {
    await compilePolicy(parsePolicy(documentOf({ ...good, ...parts })), { primitives: nodePrimitives, ...options })
    return undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return cause
    throw cause
  }
}

function wordsOf({ code, message, expected, found, hint }: CountersignError): string {
  const shown = { code, message, ...(expected === undefined ? {} : { expected }), ...(found === undefined ? {} : { found }) }
  return told(hint === undefined ? shown : { ...shown, hint })
}

describe('a policy is refused, in these words,', () => {
  it.each<[string, Parts]>([
    ['whose kind is no text', { kind: 7 }],
    ['of another version', { apiVersion: `countersign.dev/${long}` }],
    ['whose metadata says more than its name', { metadata: { name: 'x', labels: {} } }],
    ['whose name is none', { metadata: { name: '-x' } }],
    ['whose name is too long to be repeated', { metadata: { name: long } }],
    ['whose match says more', { match: { images: ['**'], hosts: [] } }],
    ['whose match is of nothing', { match: {} }],
    ['that decides what it does not speak of in another word', { match: { images: ['**'], unmatched: long } }],
    ['with a glob that is none', { match: { files: ['a***'] } }],
    ['with an empty glob', { match: { files: [''] } }],
    ['with an empty media type', { match: { mediaTypes: [''] } }],
    ['with a rule that speaks of nothing', rule({ match: {} })],
    ['with a rule that decides in another word', rule({ onFail: 'ignore' })],
    ['with a rule whose decision is no text', rule({ onMissing: 1 })],
    ['without rule', { require: [] }],
    ['with two rules of one name', { require: [...(good['require'] as JsonValue[]), ...(good['require'] as JsonValue[])] }],
    ['with a rule that demands nothing', { require: [{ name: 'x' }] }],
    ['with a rule that demands two things', rule({ platforms: ['linux/amd64'] })],
    ['with an identity that is nothing', identity({})],
    ['with an identity that is two things', identity({ keys: [alice.pem], certificate: { issuer: 'i', subject: 's' } })],
    ['with an identity without key', keyed()],
    ['with a key that is nothing', keyed({})],
    ['with a key that is two things', keyed({ name: 'x', pem: alice.pem })],
    ['with a key that is a number', keyed(7)],
    ['with an empty key', keyed('')],
    ['with a fingerprint that is none', keyed({ fingerprint: 'sha256:0' })],
    ['with a fingerprint of another hash', keyed({ fingerprint: `sha512:${'0'.repeat(128)}` })],
    ['with a window that ends before it starts', keyed(windowed)],
    ['with a moment that is none', keyed({ pem: alice.pem, validFrom: long })],
    ['with an empty moment', keyed({ pem: alice.pem, validFrom: '' })],
    ['with a person who is no name', identity({ keys: [alice.pem], person: 'Alice Doe' })],
    ['with a role that is no name', identity({ keys: [alice.pem], roles: ['all of them'] })],
    ['with a name that compares in two ways', certified({ issuer: { exact: 'a', glob: 'b' } })],
    ['with a name that compares in none', certified({ issuer: {} })],
    ['with a name that is an empty text', certified({ issuer: '' })],
    ['with a name whose glob is none', certified({ issuer: { glob: '***' } })],
    ['with an extension that nobody knows', certified({ extensions: { ref: 'x' } })],
    ['with an extension of more than an arc', certified({ extensions: { '1.8': 'x' } })],
    ['with an extension without arc', certified({ extensions: { '0': 'x' } })],
    ['with an extension that compares in no way', certified({ extensions: { '12': {} } })],
    ['with an authority without root', own({ roots: [] })],
    ['with a root that is nothing', own({ roots: [{}] })],
    ['with a root that is two things', own({ roots: [{ pem: rootPem, file: 'x' }] })],
    ['with an authority that names nobody', identity({ x509: { roots: [rootPem] } })],
    ['with a purpose that anybody has', own({ purpose: '2.5.29.37.0' })],
    ['with the purpose of timestamps', own({ purpose: '1.3.6.1.5.5.7.3.8' })],
    ['with a purpose that is none', own({ purpose: `x${long}` })],
    ['with a purpose that goes on after its numbers', own({ purpose: '1.3.6.1.5.5.7.3.3 or any' })],
    ['with an own certificate that says more', own({ extensions: {} })],
    ['that tells roles apart and not whose key one is', signedBy({ threshold: 2, of: ['alice', 'bob'], roles: ['release'] })],
    ['that tells people apart inside a group', signedBy({ threshold: 2, of: [{ anyOf: ['alice'] }, 'bob'], distinct: 'person' })],
    ['that names nobody', signedBy(long)],
    ['that asks for a number', signedBy(7)],
    ['with a group in no form', signedBy({ threshold: 1 })],
    ['with a group in two forms', signedBy({ anyOf: ['alice'], allOf: ['alice'] })],
    ['with a group of nobody', signedBy({ of: [], threshold: 1 })],
    ['with a threshold for all', signedBy({ allOf: ['alice'], threshold: 1 })],
    ['with a threshold for any', signedBy({ anyOf: ['alice'], threshold: 1 })],
    ['with a threshold of a fraction', signedBy({ of: ['alice', 'bob'], threshold: 1.5 })],
    ['without threshold', signedBy({ of: ['alice', 'bob'] })],
    ['with a threshold out of reach', signedBy({ of: ['alice', 'bob'], threshold: 3 })],
    ['with more roles than signers', signedBy({ of: ['ci'], threshold: 1, roles: ['a', 'b'] })],
    ['that tells apart by something else', signedBy({ of: ['ci'], threshold: 1, distinct: 'name' })],
    ['with groups deeper than four levels', signedBy(nested(5))],
    ['with a group that is called like an identity', { groups: { alice: { anyOf: ['ci'] } } }],
    ['with a group that is called by no name', { groups: { 'a b': { anyOf: ['ci'] } } }],
    ['with groups in a circle', { groups: { a: { anyOf: ['b'] }, b: { anyOf: ['a'] } } }],
    ['with a time that is not required', signedBy('alice', { time: 'wanted' })],
    ['with an expiry that is not required', signedBy('alice', { expires: 'wanted' })],
    ['with a bound name that is not required', signedBy('alice', { boundName: true })],
    ['with a log that is no yes or no', signedBy('alice', { logged: 'yes' })],
    ['with a span that is none', signedBy('alice', { maxAge: '1 day' })],
    ['with a span of less than nothing', signedBy('alice', { maxAge: '-1d' })],
    ['with a span in two units', signedBy('alice', { maxAge: '1d12h' })],
    ['with a span of nothing', signedBy('alice', { maxLifetime: '0d' })],
    ['with a span in weeks', signedBy('alice', { maxLifetime: '1w' })],
    ['with no time between two moments', signedBy('alice', { before: '2026-01-01T00:00:00Z', after: '2026-01-01T00:00:00Z' })],
    ['with an annotation that is no text', signedBy('alice', { annotations: { a: 1 } })],
    ['with a type of nothing', attested({ type: '' })],
    ['with a type that is none', attested({ type: `a ${long}` })],
    ['with the type of signatures', attested({ type: 'https://sigstore.dev/cosign/sign/v1' })],
    ['with an empty condition', attested({ condition: ' ' })],
    ['with a newest that is no yes or no', attested({ newest: 1 })],
    ['without platform', { require: [{ name: 'x', platforms: [] }] }],
    ['with a platform that is none', { require: [{ name: 'x', platforms: ['linux/amd64', `Linux ${long}`] }] }],
    ['with a list that nobody signs', listed({ keys: [] })],
    ['with a list that too few can sign', listed({ threshold: 2 })],
    ['with a list of version zero', listed({ minVersion: 0 })],
    ['with two lists of one name', { revocations: many(2, () => ({ name: 'main', keys: [board.pem] })) }],
    ['with a list whose key has a window', listed({ keys: [{ name: 'x', validUntil: '2026-01-01T00:00:00Z' }] })],
    ['with a list that may be required', listed({ required: 'perhaps' })],
    ['with a mirror that is two kinds', mirrored('registry.example/**', 'mirror.example/x')],
    ['with a mirror that is two kinds the other way round', mirrored('registry.example/x', 'mirror.example/**')],
    ['with a mirror of stars', mirrored('registry.example/*/x', 'mirror.example/x')],
    ['with a mirror of a tag', mirrored('registry.example/x:latest', 'mirror.example/x')],
    ['with a mirror of no name', mirrored(`registry.example/${long}`, 'mirror.example/x')],
    ['with a mirror of nothing', mirrored('/**', 'mirror.example/**')],
    // What reads well and cannot be compiled.
    ['with a key that is none', keyed('x')],
    ['with a key that was not given by name', keyed({ name: 'other.pub' })],
    ['with a key that was not given by fingerprint', keyed({ fingerprint: `sha256:${'0'.repeat(64)}` })],
    ['with a pattern that is none', certified({ issuer: { pattern: '('.repeat(200) } })],
    ['with a pattern of an extension that is none', certified({ extensions: { '12': { pattern: '(' } } })],
    ['with a pattern of a subject that is none', certified({ subject: { pattern: '(' } })],
    ['with a pattern of an own certificate that is none', own({ subject: { pattern: '(' } })],
    ['with a pattern of a common name that is none', own({ commonName: { pattern: '(' } })],
    ['with a pattern of an own issuer that is none', own({ issuer: { pattern: '(' } })],
    ['with a root that is no PEM', own({ roots: ['x'] })],
    ['with a root that is broken', own({ roots: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'] })],
    ['with a root that is nobody’s authority', own({ roots: [leafPem] })],
    ['with a root in a file that was not given', own({ roots: [{ file: 'acme.pem' }] })],
    ['with an intermediate in a file that was not given', own({ intermediates: [{ file: 'acme.pem' }] })],
    ['with a condition that is none', attested({ condition: '1 +' })],
    ['with a list signed by whom it can revoke', listed({ keys: [alice.pem] })],
    ['with a list signed twice by one', listed({ keys: [board.pem, { pem: board.pem }], threshold: 2 })],
  ])('%s', async (_what, parts) => {
    const failure = await failureOf(parts)
    expect(failure?.code).toMatch(/^(policy_malformed|trust_missing)$/)
    expect(failure?.message).toMatch(/^\$/)
    expect(failure === undefined ? '' : wordsOf(failure)).toMatchSnapshot()
  })
})

describe('the last that is read, and the first that is not:', () => {
  const key = (index: number): JsonValue => ({ name: `k${index}` })
  const keys = new Map(Array.from({ length: 20 }, (_, index) => [`k${index}`, bob.key.publicKey] as const))
  const rules = (count: number): Parts => ({ require: many(count, (index) => ({ name: `r${index}`, signature: { by: 'alice' } })) })
  const width = (count: number): JsonValue => ({ anyOf: many(count, () => 'alice') })
  const cube = (count: number): Parts => signedBy({ anyOf: many(count, () => ({ anyOf: many(16, () => width(64)) })) })

  it.each<[string, Parts, Parts]>([
    ['63 letters of a name', { metadata: { name: 'x'.repeat(63) } }, { metadata: { name: 'x'.repeat(64) } }],
    ['256 globs', { match: { images: many(256, () => '**') } }, { match: { images: many(257, () => '**') } }],
    ['1,024 characters of a text', { match: { mediaTypes: ['x'.repeat(1024)] } }, { match: { mediaTypes: ['x'.repeat(1025)] } }],
    [
      '256 identities',
      { identities: { ...map(255, () => ({ keys: [bob.pem] })), alice: identities.alice } },
      { identities: { ...map(256, () => ({ keys: [bob.pem] })), alice: identities.alice } },
    ],
    ['16 keys', identity({ keys: many(16, key) }), identity({ keys: many(17, key) })],
    [
      '16,384 characters of a key',
      keyed(`${bob.pem}${'\n'.repeat(16_384 - bob.pem.length)}`),
      keyed(`${bob.pem}${'\n'.repeat(16_385 - bob.pem.length)}`),
    ],
    [
      '16 roles of an identity',
      identity({ keys: [bob.pem], roles: many(16, (i) => `r${i}`) }),
      identity({ keys: [bob.pem], roles: many(17, (i) => `r${i}`) }),
    ],
    [
      '32 extensions',
      certified({ extensions: Object.fromEntries(many(32, () => 'x').map((value, i) => [String(i + 1), value])) }),
      certified({ extensions: Object.fromEntries(many(33, () => 'x').map((value, i) => [String(i + 1), value])) }),
    ],
    ['extension 999,999', certified({ extensions: { '999999': 'x' } }), certified({ extensions: { '1000000': 'x' } })],
    [
      '8 lists of revocations',
      { revocations: many(8, (i) => ({ name: `l${i}`, keys: [board.pem] })) },
      { revocations: many(9, (i) => ({ name: `l${i}`, keys: [board.pem] })) },
    ],
    [
      '64 mirrors',
      { mirrors: many(64, () => ({ from: 'a.example/x', to: 'b.example/x' })) },
      { mirrors: many(65, () => ({ from: 'a.example/x', to: 'b.example/x' })) },
    ],
    ['64 rules', rules(64), rules(65)],
    ['64 groups', { groups: map(64, () => ({ anyOf: ['ci'] })) }, { groups: map(65, () => ({ anyOf: ['ci'] })) }],
    ['64 members of a group', signedBy(width(64)), signedBy(width(65))],
    ['groups four deep', signedBy(nested(4)), signedBy(nested(5))],
    ['10,000 parties of all rules', cube(9), cube(10)],
    [
      'as many roles as signers',
      signedBy({ of: ['ci'], threshold: 2, roles: ['a', 'b'] }),
      signedBy({ of: ['ci'], threshold: 2, roles: ['a', 'b', 'c'] }),
    ],
    [
      '16 roles of a group',
      signedBy({ of: ['ci'], threshold: 17, roles: many(16, (i) => `r${i}`) }),
      signedBy({ of: ['ci'], threshold: 17, roles: many(17, (i) => `r${i}`) }),
    ],
    ['32 annotations', signedBy('alice', { annotations: map(32, () => 'x') }), signedBy('alice', { annotations: map(33, () => 'x') })],
    [
      '32 platforms',
      { require: [{ name: 'x', platforms: many(32, () => 'linux/amd64') }] },
      { require: [{ name: 'x', platforms: many(33, () => 'linux/amd64') }] },
    ],
    [
      '4,096 characters of a condition',
      attested({ condition: `true${' '.repeat(4092)}` }),
      attested({ condition: `true${' '.repeat(4093)}` }),
    ],
    ['8 roots', own({ roots: many(8, () => rootPem) }), own({ roots: many(9, () => rootPem) })],
    ['8 intermediates', own({ intermediates: many(8, () => rootPem) }), own({ intermediates: many(9, () => rootPem) })],
    ['16 certificates in one file', own({ roots: [rootPem.repeat(16)] }), own({ roots: [rootPem.repeat(17)] })],
    [
      '65,536 characters of a certificate',
      own({ roots: [`${rootPem}${'\n'.repeat(65_536 - rootPem.length)}`] }),
      own({ roots: [`${rootPem}${'\n'.repeat(65_537 - rootPem.length)}`] }),
    ],
    [
      '1,024 characters of a pattern',
      certified({ subject: { pattern: 'x'.repeat(1024) } }),
      certified({ subject: { pattern: 'x'.repeat(1025) } }),
    ],
    ['a window of one moment', keyed({ ...windowed, validUntil: windowed.validFrom }), keyed(windowed)],
    [
      'a moment between two',
      signedBy('alice', { before: '2026-01-01T00:00:01Z', after: '2026-01-01T00:00:00Z' }),
      signedBy('alice', { before: '2026-01-01T00:00:00Z', after: '2026-01-01T00:00:00Z' }),
    ],
    ['a match of an image and of a media type', { match: { images: ['**'], mediaTypes: ['a/b'] } }, { match: {} }],
    ['a span of seven digits', signedBy('alice', { maxAge: '9999999s' }), signedBy('alice', { maxAge: '10000000s' })],
    ['all of a threshold', signedBy({ of: ['alice', 'bob'], threshold: 2 }), signedBy({ of: ['alice', 'bob'], threshold: 3 })],
    ['all keys of a list', listed({ threshold: 1 }), listed({ threshold: 2 })],
    [
      'a platform with a variant',
      { require: [{ name: 'x', platforms: ['linux/arm/v7'] }] },
      { require: [{ name: 'x', platforms: ['linux/arm/v7/x'] }] },
    ],
    ['a platform of two parts', { require: [{ name: 'x', platforms: ['linux/arm'] }] }, { require: [{ name: 'x', platforms: ['linux'] }] }],
    ['a purpose that is an OID', own({ purpose: '1.2.840.1' }), own({ purpose: '1.02.840.1' })],
  ])('%s', async (_what, last, first) => {
    const failure = await failureOf(last, { keys })
    expect(failure === undefined ? 'read' : failure.message).toBe('read')
    const beyond = await failureOf(first, { keys })
    expect(beyond?.code).toBe('policy_malformed')
    expect(beyond === undefined ? '' : wordsOf(beyond)).toMatchSnapshot()
  })
})
