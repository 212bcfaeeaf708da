import { describe, expect, it } from 'vitest'
import { derElement, derOid, derSequence, derSet, derUtf8String } from '../../src/der/writer.ts'
import { utf8 } from '../../src/bytes.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { encodePem } from '../../src/pem.ts'
import { compilePolicy, type CompiledPolicy, type CompileOptions } from '../../src/policy/compile.ts'
import { demandsOf, needsTrustedTime } from '../../src/policy/demands.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { evaluatePolicy } from '../../src/policy/evaluate.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import { readProven, type ProvenItem } from '../../src/policy/proven.ts'
import type { RevocationState } from '../../src/policy/revocations.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import type { TrustedRoot } from '../../src/trust/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import { extensionOid, purposeOid } from '../../src/x509/oids.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { failureOf } from '../refusal.ts'
import { newTsa, responseWith, tokenBy } from '../rfc3161/stamp.ts'
import { extension, extensions, issue, nameOf, newAuthority, newKey, start2026, type Wanted } from '../x509/issue.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  messageBy,
  newTestKey,
  nowMs,
  rootOf,
  signedAtMs,
  type TestKey,
  verified,
} from '../verify/forge.ts'
import { documentOf } from './fixture.ts'

const acme = newAuthority()
const evil = newAuthority()
const tsa = newTsa()
const [aliceKey, bobKey] = [newTestKey(), newTestKey()]
const trustedRoot = rootOf({
  timestampAuthorities: [
    {
      organization: 'x',
      commonName: 'tsa',
      uri: 'https://tsa.example',
      certificates: [tsa.leaf, tsa.root],
      validFor: { start: start2026 },
    },
  ],
})
const pem = (der: Uint8Array): string => encodePem('CERTIFICATE', der)
const rootPem = pem(acme.root)

/** Subject alternative names: mail addresses. */
function mails(...addresses: readonly string[]): Uint8Array {
  return extension(extensionOid.subjectAltName, false, derSequence(...addresses.map((address) => derElement(0x81, utf8(address)))))
}

function certificateOf(key: TestKey, san: Uint8Array | undefined, wishes: Partial<Wanted> = {}): Uint8Array {
  const use = [extensions.codeSigning(), extensions.keyUsage('digitalSignature')]
  return issue({
    issuer: acme.issuer,
    subject: nameOf('Alice'),
    key: { privateKey: key.privateKey, spki: key.publicKey.spki },
    extensions: san === undefined ? use : [...use, san],
    ...wishes,
  })
}

/** A signature over the artifact with a certificate and the chain that cosign puts beside it, stamped unless a test wants otherwise. */
function signedBy(
  key: TestKey,
  certificate: Uint8Array,
  stampedMs: number | undefined = signedAtMs,
  chain: readonly Uint8Array[] = [acme.intermediate],
): SignedEntity {
  const content = messageBy(key)
  const entity = entityOf(content, { kind: 'certificate', chain: [certificate, ...chain] })
  return stampedMs === undefined
    ? entity
    : { ...entity, timestamps: [responseWith(tokenBy(tsa, { message: content.signature, genTimeMs: stampedMs }))] }
}
const unstamped = (entity: SignedEntity): SignedEntity => ({ ...entity, timestamps: [] })

const alice = certificateOf(aliceKey, mails('alice@acme.example'))
const person = { roots: [rootPem], subject: 'alice@acme.example' }

function policyOf(
  identities: { readonly [name: string]: JsonValue },
  by: JsonValue = 'alice',
  rest: { readonly [name: string]: JsonValue } = {},
  options: Partial<CompileOptions> = {},
): Promise<CompiledPolicy> {
  const document = documentOf({ match: { files: ['**'] }, identities, require: [{ name: 'signed', signature: { by } }], ...rest })
  return compilePolicy(parsePolicy(document), { primitives: nodePrimitives, ...options })
}

async function prove(policy: CompiledPolicy, entity: SignedEntity, root: TrustedRoot = trustedRoot): Promise<Verification> {
  const { authorities } = demandsOf(policy)
  if (authorities === undefined) throw new TypeError('the policy names no authority')
  return verified(entity, authorities, { trustedRoot: root })
}

async function proven(policy: CompiledPolicy, entity: SignedEntity): Promise<readonly ProvenItem[]> {
  const result = await prove(policy, entity)
  return result.ok ? [await readProven(result.evidence, 'test', nodePrimitives)] : []
}

async function decide(
  policy: CompiledPolicy,
  entities: readonly SignedEntity[],
  revocations: ReadonlyMap<string, RevocationState> = new Map(),
): Promise<string> {
  const evidence = (await Promise.all(entities.map((entity) => proven(policy, entity)))).flat()
  const artifact = { kind: 'file', path: 'a', digests: [digestOf(artifactBytes)] } as const
  return evaluatePolicy(policy, { artifact, evidence, refusals: [], unreadable: [], revocations, nowMs }).decision
}

async function codeOf(identity: JsonValue, entity: SignedEntity): Promise<string> {
  const result = await prove(await policyOf({ alice: { x509: identity } }), entity)
  return result.ok ? 'proven' : result.code
}

describe('a certificate of an authority of one’s own', () => {
  it('is accepted under its alternative name, with the chain that came along as candidates', async () => {
    const policy = await policyOf({ alice: { x509: person } })
    const result = await prove(policy, signedBy(aliceKey, alice))
    expect(result).toMatchObject({
      ok: true,
      evidence: {
        signer: {
          kind: 'certificate',
          subject: 'alice@acme.example',
          issuer: 'CN=intermediate',
          own: { commonName: 'Alice', distinguishedName: 'CN=Alice' },
        },
        times: [{ timeMs: signedAtMs }],
        waivers: [],
      },
    })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['certificate_chain', 'identity', 'timestamp']),
    )
    expect(await decide(policy, [signedBy(aliceKey, alice)])).toBe('allow')
  })

  it.each([
    ['its common name', { roots: [rootPem], commonName: 'Alice' }],
    ['its issuer', { roots: [rootPem], commonName: 'Alice', issuer: 'CN=intermediate' }],
    ['a glob', { roots: [rootPem], subject: { glob: '*@acme.example' } }],
    ['an anchored pattern', { roots: [rootPem], subject: { pattern: 'alice@acme[.]example' } }],
    ['its second alternative name', { roots: [rootPem], subject: 'second@acme.example' }],
    ['an intermediate that the policy names', { roots: [rootPem], intermediates: [pem(acme.intermediate)], commonName: 'Alice' }],
  ])('is accepted by %s', async (_what, identity) => {
    const certificate = certificateOf(aliceKey, mails('alice@acme.example', 'second@acme.example').slice())
    const one = _what.includes('glob') || _what.includes('pattern') ? alice : certificate
    expect(await codeOf(identity, signedBy(aliceKey, one))).toBe('proven')
  })

  it.each([
    ['another name', { roots: [rootPem], subject: 'bob@acme.example' }],
    ['a pattern that matches only within', { roots: [rootPem], subject: { pattern: 'alice' } }],
    ['another common name beside the right alternative name', { ...person, commonName: 'Bob' }],
    ['another issuer', { ...person, issuer: 'CN=root' }],
    ['a common name where an alternative name is demanded', { roots: [rootPem], subject: 'Alice' }],
  ])('attack: is refused with %s', async (_what, identity) => {
    expect(await codeOf(identity, signedBy(aliceKey, alice))).toBe('identity_mismatch')
  })

  it('attack: the names of a trusted one under another authority are untrusted, whose root came along too', async () => {
    const forged = certificateOf(aliceKey, mails('alice@acme.example'), { issuer: evil.issuer })
    expect(await codeOf(person, signedBy(aliceKey, forged, signedAtMs, [evil.intermediate, evil.root]))).toBe('certificate_untrusted')
  })

  it('attack: with two common names, neither is believed', async () => {
    const cn = (name: string): Uint8Array => derSet(derSequence(derOid('2.5.4.3'), derUtf8String(name)))
    const double = certificateOf(aliceKey, undefined, { subject: derSequence(cn('Mallory'), cn('Alice')) })
    expect(await codeOf({ roots: [rootPem], commonName: 'Alice' }, signedBy(aliceKey, double))).toBe('identity_mismatch')
  })

  it('attack: with a NUL in its common name it has none', async () => {
    const cn = derSequence(derSet(derSequence(derOid('2.5.4.3'), derUtf8String('Alice\u0000'))))
    const nul = certificateOf(aliceKey, undefined, { subject: cn })
    expect(await codeOf({ roots: [rootPem], commonName: { glob: '**' } }, signedBy(aliceKey, nul))).toBe('identity_mismatch')
  })

  it.each([
    ['for servers', [extensions.purposes(false, '1.3.6.1.5.5.7.3.1'), extensions.keyUsage('digitalSignature')]],
    ['without a purpose', [extensions.keyUsage('digitalSignature')]],
    ['for another use of its key', [extensions.codeSigning(), extensions.keyUsage('keyEncipherment')]],
    ['that is an authority', [extensions.codeSigning(), extensions.ca()]],
  ])('attack: one %s does not sign', async (_what, uses) => {
    const wrong = certificateOf(aliceKey, undefined, { extensions: [...uses, mails('alice@acme.example')] })
    expect(await codeOf(person, signedBy(aliceKey, wrong))).toBe('certificate_unsuitable')
  })

  it('is taken for the purpose that the policy names', async () => {
    const own = issue({
      issuer: acme.rootIssuer,
      key: { privateKey: bobKey.privateKey, spki: bobKey.publicKey.spki },
      subject: nameOf('Alice'),
      extensions: [extensions.purposes(false, purposeOid.emailProtection), mails('alice@acme.example')],
    })
    expect(await codeOf(person, signedBy(bobKey, own))).toBe('certificate_unsuitable')
    expect(await codeOf({ ...person, purpose: 'emailProtection' }, signedBy(bobKey, own))).toBe('proven')
    expect(await codeOf({ ...person, purpose: purposeOid.emailProtection }, signedBy(bobKey, own))).toBe('proven')
  })

  it('must be valid at the trusted time, and not at any other', async () => {
    const day = 86_400_000
    const short = certificateOf(aliceKey, mails('alice@acme.example'), {
      notBeforeMs: signedAtMs - day / 24,
      notAfterMs: signedAtMs + day / 24,
    })
    expect(await codeOf(person, signedBy(aliceKey, short))).toBe('proven')
    expect(await codeOf(person, signedBy(aliceKey, short, signedAtMs + day / 2))).toBe('certificate_expired')
    expect(await codeOf(person, signedBy(aliceKey, short, signedAtMs - day / 2))).toBe('certificate_expired')
  })

  it('attack: does not count where nothing proves when it was used', async () => {
    expect(await codeOf(person, unstamped(signedBy(aliceKey, alice)))).toBe('trusted_time_missing')
    expect(needsTrustedTime(await policyOf({ alice: { x509: person } }))).toBe(true)
  })

  it('counts without trusted time when the policy says so by name, while the chain holds now', async () => {
    const unsafe = { ...person, verifierClock_UNSAFE: 'the lab has no timestamp authority' }
    const policy = await policyOf({ alice: { x509: unsafe } })
    const entity = unstamped(signedBy(aliceKey, alice))
    const result = await prove(policy, entity)
    expect(result.ok && result.evidence.checks.find(({ check }) => check === 'certificate_chain')?.detail).toContain('UNSAFE: the lab')
    expect(await decide(policy, [entity])).toBe('allow')
    expect(needsTrustedTime(policy)).toBe(false)
    const expired = certificateOf(aliceKey, mails('alice@acme.example'), { notAfterMs: nowMs - 1000 })
    expect(await codeOf(unsafe, unstamped(signedBy(aliceKey, expired)))).toBe('certificate_expired')
  })

  it('has a window in which its signatures count', async () => {
    const inWindow = (from: number): JsonValue => ({ ...person, validFrom: formatTime(from) })
    expect(await decide(await policyOf({ alice: { x509: inWindow(signedAtMs - 1000) } }), [signedBy(aliceKey, alice)])).toBe('allow')
    expect(await decide(await policyOf({ alice: { x509: inWindow(signedAtMs + 1000) } }), [signedBy(aliceKey, alice)])).toBe('deny')
  })

  it('attack: evidence proven for one demand is none for another of the same name', async () => {
    const [before, after] = [
      await policyOf({ alice: { x509: person } }),
      await policyOf({ alice: { x509: { ...person, commonName: 'Bob' } } }),
    ]
    const evidence = await proven(before, signedBy(aliceKey, alice))
    const artifact = { kind: 'file', path: 'a', digests: [digestOf(artifactBytes)] } as const
    const verdict = evaluatePolicy(after, { artifact, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs })
    expect([evidence.length, verdict.decision]).toEqual([1, 'deny'])
  })

  it('attack: evidence that the verifier’s clock was enough for is none where a trusted time is demanded', async () => {
    const [lax, strict] = [
      await policyOf({ alice: { x509: { ...person, verifierClock_UNSAFE: 'lab' } } }),
      await policyOf({ alice: { x509: person } }),
    ]
    const evidence = await proven(lax, unstamped(signedBy(aliceKey, alice)))
    const artifact = { kind: 'file', path: 'a', digests: [digestOf(artifactBytes)] } as const
    const verdict = evaluatePolicy(strict, { artifact, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs })
    expect([evidence.length, verdict.decision]).toEqual([1, 'deny'])
  })

  it('attack: is no identity of a keyless issuer, whatever its names are', async () => {
    const both = { alice: { x509: person }, anyone: { certificate: { issuer: { glob: '**' }, subject: { glob: '**' } } } }
    const evidence = await proven(await policyOf(both, { anyOf: ['alice', 'anyone'] }), signedBy(aliceKey, alice))
    const policy = await policyOf(both, 'anyone')
    const artifact = { kind: 'file', path: 'a', digests: [digestOf(artifactBytes)] } as const
    expect(evaluatePolicy(policy, { artifact, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs }).decision).toBe(
      'deny',
    )
  })
})

describe('distinct signers', () => {
  const staff = { roots: [rootPem], subject: { glob: '*@acme.example' } }
  const two = { threshold: 2, of: ['staff'] }

  it('are counted over certificates of different people', async () => {
    const bob = certificateOf(bobKey, mails('bob@acme.example'), { subject: nameOf('Bob') })
    const policy = await policyOf({ staff: { x509: staff } }, two)
    expect(await decide(policy, [signedBy(aliceKey, alice), signedBy(bobKey, bob)])).toBe('allow')
    expect(await decide(policy, [signedBy(aliceKey, alice)])).toBe('deny')
  })

  it('attack: several certificates of one person, each with a key of its own, count once', async () => {
    const policy = await policyOf({ staff: { x509: staff } }, two)
    expect(await decide(policy, [signedBy(aliceKey, alice), signedBy(bobKey, certificateOf(bobKey, mails('alice@acme.example')))])).toBe(
      'deny',
    )
  })

  it('attack: a further name in a second certificate makes no second person', async () => {
    const policy = await policyOf({ staff: { x509: staff } }, two)
    const more = certificateOf(bobKey, mails('alice@acme.example', 'release@acme.example'), { subject: nameOf('Release') })
    expect(await decide(policy, [signedBy(aliceKey, alice), signedBy(bobKey, more)])).toBe('deny')
  })

  it('attack: another mail address in a second certificate of the same distinguished name makes no second person', async () => {
    const policy = await policyOf({ staff: { x509: staff } }, two)
    const renamed = certificateOf(bobKey, mails('alice.b@acme.example'))
    expect(await decide(policy, [signedBy(aliceKey, alice), signedBy(bobKey, renamed)])).toBe('deny')
  })

  it('attack: two certificates for one key count once', async () => {
    const policy = await policyOf({ staff: { x509: staff } }, two)
    const other = certificateOf(aliceKey, mails('bob@acme.example'), { subject: nameOf('Bob') })
    expect(await decide(policy, [signedBy(aliceKey, alice), signedBy(aliceKey, other)])).toBe('deny')
  })
})

describe('a revocation', () => {
  const listing = (target: Parameters<typeof stateOf>[0]): ReadonlyMap<string, RevocationState> => new Map([['list', stateOf(target)]])
  const boardKey = newKey()
  const revocations = [{ name: 'list', keys: [encodePem('PUBLIC KEY', boardKey.spki)] }]

  it.each([
    [
      'its alternative name',
      { kind: 'certificate', issuer: { kind: 'exact', value: 'CN=intermediate' }, subject: { kind: 'exact', value: 'alice@acme.example' } },
      'deny',
    ],
    ['its common name', { kind: 'certificate', issuer: { kind: 'glob', value: '**' }, subject: { kind: 'exact', value: 'Alice' } }, 'deny'],
    ['another name', { kind: 'certificate', issuer: { kind: 'glob', value: '**' }, subject: { kind: 'exact', value: 'Bob' } }, 'allow'],
  ] as const)('of a certificate by %s', async (_what, target, decision) => {
    const policy = await policyOf({ alice: { x509: person } }, 'alice', { revocations })
    expect(await decide(policy, [signedBy(aliceKey, alice)], listing(target))).toBe(decision)
  })

  it('attack: of a key revokes the certificates for it', async () => {
    const policy = await policyOf({ alice: { x509: person } }, 'alice', { revocations })
    const [item] = await proven(policy, signedBy(aliceKey, alice))
    const signer = item?.evidence.signer
    if (signer?.kind !== 'certificate') throw new TypeError('not proven')
    const target = { kind: 'key', fingerprint: signer.keyFingerprint } as const
    expect(await decide(policy, [signedBy(aliceKey, alice)], listing(target))).toBe('deny')
  })
})

function stateOf(target: Extract<RevocationState, { ok: true }>['list']['entries'][number]['target']): RevocationState {
  const list = {
    name: 'list',
    version: 1,
    issuedMs: 0,
    expiresMs: nowMs + 1000,
    entries: [{ target, severity: 'deny', reason: 'left' }],
  } as const
  return { ok: true, signedBy: [], list }
}

describe('the document', () => {
  it.each([
    ['nobody', { roots: [rootPem] }, '$.identities.alice.x509'],
    ['no root', { roots: [], subject: 'x' }, '$.identities.alice.x509.roots'],
    ['a purpose that is none', { ...person, purpose: 'serverAuth' }, '$.identities.alice.x509.purpose'],
    ['every purpose', { ...person, purpose: purposeOid.any }, '$.identities.alice.x509.purpose'],
    ['timestamps as purpose', { ...person, purpose: purposeOid.timeStamping }, '$.identities.alice.x509.purpose'],
    ['the clock without a reason', { ...person, verifierClock_UNSAFE: '' }, '$.identities.alice.x509.verifierClock_UNSAFE'],
    ['the clock under a name without UNSAFE', { ...person, verifierClock: 'x' }, '$.identities.alice.x509'],
    ['pem and file at once', { ...person, roots: [{ pem: 'x', file: 'y' }] }, '$.identities.alice.x509.roots[0]'],
  ])('that names %s is refused', (_what, x509, path) => {
    const failure = failureOf(() =>
      parsePolicy(documentOf({ identities: { alice: { x509 } }, require: [{ name: 's', signature: { by: 'alice' } }] })),
    )
    expect([failure?.code, failure?.message.slice(0, path.length + 1)]).toEqual(['policy_malformed', `${path}:`])
  })

  it('takes certificates from files that are given beside it, and says which is missing', async () => {
    const filed = { alice: { x509: { ...person, roots: [{ file: 'ca/root.pem' }] } } }
    await expect(policyOf(filed)).rejects.toMatchObject({ code: 'trust_missing', message: expect.stringContaining('ca/root.pem') })
    const policy = await policyOf(filed, 'alice', {}, { certificates: new Map([['ca/root.pem', rootPem]]) })
    expect(await decide(policy, [signedBy(aliceKey, alice)])).toBe('allow')
  })

  it.each([
    ['what is no certificate', 'x'],
    ['a certificate of a signer', pem(alice)],
    ['a public key', encodePem('PUBLIC KEY', newKey().spki)],
  ])('attack: %s is no root', async (_what, root) => {
    await expect(policyOf({ alice: { x509: { ...person, roots: [root] } } })).rejects.toMatchObject({ code: 'policy_malformed' })
  })

  it.each([
    ['an issuer alone', { roots: [rootPem], issuer: 'CN=intermediate' }, ['accepts_everybody']],
    ['every name', { roots: [rootPem], subject: { glob: '**' } }, ['accepts_everybody']],
    ['a name', person, []],
    ['a window that is over', { ...person, validUntil: formatTime(nowMs - 1) }, ['key_expired', 'never_satisfied']],
  ])('is linted: %s', async (_what, x509, findings) => {
    expect(lintPolicy(await policyOf({ alice: { x509 } }), nowMs).map(({ finding }) => finding)).toEqual(findings)
  })
})
