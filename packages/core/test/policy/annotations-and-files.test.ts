import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { encodePem } from '../../src/pem.ts'
import { compilePolicy, type CompiledPolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { certificateFilesOf } from '../../src/policy/own-certificates.ts'
import { readProven, type ProvenItem } from '../../src/policy/proven.ts'
import type { RevocationEntry } from '../../src/policy/revocation-list.ts'
import type { RevocationState } from '../../src/policy/revocations.ts'
import { findRevocation } from '../../src/policy/revoked.ts'
import type { SignerEvidence } from '../../src/verify/evidence.ts'
import type { CertifiedSubject } from '../../src/verify/policy.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { newAuthority } from '../x509/issue.ts'
import { certified, compiled, daysAgo, documentOf, now, proven, recorded, somebody } from './fixture.ts'

type Parts = { readonly [name: string]: JsonValue }

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const identities = { alice: { keys: [alice.pem] }, bob: { keys: [bob.pem] } }

describe('the annotations that a rule demands', () => {
  const decide = async (demanded: Parts, annotations: Record<string, string> = { env: 'prod', team: 'a' }): Promise<string> => {
    const policy = await compiled({ identities, require: [{ name: 'signed', signature: { by: 'alice', annotations: demanded } }] })
    const { rules } = recorded(policy, [await proven(alice.signer, { annotations })])
    return rules[0]?.looked[0]?.detail ?? rules[0]?.outcome ?? ''
  }

  it.each<[string, Parts, string]>([
    ['one that is there', { env: 'prod' }, 'satisfied'],
    ['all that are there', { env: 'prod', team: 'a' }, 'satisfied'],
    ['one of another value', { env: 'test' }, 'it does not carry the annotation env=test'],
    ['one that is there and one that is not', { env: 'prod', owner: 'x' }, 'it does not carry the annotation owner=x'],
    ['attack: one that every object has', { constructor: 'x' }, 'it does not carry the annotation constructor=x'],
    ['attack: one that begins alike', { env: 'pro' }, 'it does not carry the annotation env=pro'],
  ])('%s', async (_what, demanded, outcome) => {
    expect(await decide(demanded)).toBe(outcome)
  })

  it('are none of an inherited member', async () => {
    const inherited = Object.create({ env: 'prod' }) as Record<string, string>
    expect(await decide({ env: 'prod' }, inherited)).toBe('it does not carry the annotation env=prod')
  })
})

describe('an attestation without predicate', () => {
  it('fulfils no condition, and says why', async () => {
    const predicateType = 'https://x/y'
    const { evidence } = await proven(alice.signer, { type: predicateType })
    const subject = [{ digest: { sha256: '0'.repeat(64) } }]
    const payload = utf8(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', subject, predicateType }))
    const item = await readProven({ ...evidence, content: { kind: 'statement', predicateType, payload } }, 'here', nodePrimitives)
    const attestation = { type: predicateType, by: 'alice', condition: 'true' }
    const policy = await compiled({ identities, require: [{ name: 'x', attestation }] })
    expect(recorded(policy, [item]).rules[0]?.looked[0]).toMatchObject({ status: 'does_not_count', detail: 'it has no predicate' })
    const { condition: _condition, ...any } = attestation
    const free = await compiled({ identities, require: [{ name: 'x', attestation: any }] })
    expect(recorded(free, [item]).decision).toBe('allow')
  })
})

it('attack: evidence that was bound to no artifact counts for none', async () => {
  const { evidence } = await proven(alice.signer)
  const { artifact: _artifact, ...unbound } = evidence
  const item = await readProven(unbound, 'here', nodePrimitives)
  const policy = await compiled({ identities, require: [{ name: 'signed', signature: { by: 'alice' } }] })
  expect(recorded(policy, [item])).toMatchObject({ decision: 'deny', rules: [{ outcome: 'missing' }] })
})

describe('the newest attestation of each signer', () => {
  const type = 'https://x/scan'
  const scan = (who: typeof alice, ok: boolean, days: number | undefined): Promise<ProvenItem> =>
    proven(who.signer, { type, predicate: { ok, days: days ?? 0 }, ...(days === undefined ? {} : { signedMs: daysAgo(days) }) })
  const attestation = { type, by: { threshold: 1, of: ['alice', 'bob'] }, condition: 'predicate.ok', newest: true }
  const policy = (more: Parts = {}): Promise<CompiledPolicy> =>
    compiled({
      identities,
      revocations: [{ name: 'list', keys: [board.pem], required: false }],
      require: [{ name: 'scan', attestation: { ...attestation, ...more } }],
    })
  const listed = (severity: 'deny' | 'warn'): ReadonlyMap<string, RevocationState> => {
    const target = { kind: 'key', fingerprint: alice.signer.fingerprint } as const
    const entries: RevocationEntry[] = [{ target, severity, reason: 'x', effectiveMs: daysAgo(3) }]
    return new Map([['list', { ok: true, signedBy: [], list: { name: 'list', version: 1, issuedMs: 0, expiresMs: now + 1, entries } }]])
  }

  it('is looked for by signer: what one says does not outdate another', async () => {
    const items = [await scan(alice, true, 5), await scan(bob, false, 1)]
    expect(recorded(await policy(), items).rules[0]?.quorum?.signers).toHaveLength(1)
    expect(recorded(await policy(), [...items, await scan(alice, false, 4)]).rules[0]?.outcome).toBe('failed')
  })

  it('is the newest by proven time, and one without time is none', async () => {
    const verdict = recorded(await policy(), [await scan(alice, true, 5), await scan(alice, true, undefined), await scan(alice, true, 2)])
    const details = verdict.rules[0]?.looked.map(({ detail }) => detail ?? 'counts').toSorted()
    expect(details).toEqual(['a newer one of the same signer is there', 'counts', 'nothing proves when it was made'])
  })

  it('is not one that is revoked, but one that a list warns of', async () => {
    const items = [await scan(alice, true, 5), await scan(alice, false, 2)]
    expect(recorded(await policy(), items, { revocations: listed('deny') }).rules[0]?.outcome).toBe('satisfied')
    expect(recorded(await policy(), items, { revocations: listed('warn') }).rules[0]?.outcome).toBe('failed')
  })

  it('is not one that is too late or too old for the rule', async () => {
    const items = [await scan(alice, true, 5), await scan(alice, false, 2)]
    expect(recorded(await policy({ before: new Date(daysAgo(3)).toISOString() }), items).rules[0]?.outcome).toBe('satisfied')
    expect(recorded(await policy({ maxAge: '4d' }), items).rules[0]?.outcome).toBe('failed')
  })
})

describe('certificates of own authorities', () => {
  const [one, two] = [encodePem('CERTIFICATE', newAuthority().root), encodePem('CERTIFICATE', newAuthority().root)]
  const documented = (x509: Parts): Parameters<typeof parsePolicy>[0] =>
    documentOf({ identities: { a: { x509: { subject: 's', ...x509 } }, ...identities }, require: [{ name: 's', signature: { by: 'a' } }] })
  const idOf = async (x509: Parts, certificates = new Map<string, string>()): Promise<string | undefined> => {
    const policy = await compilePolicy(parsePolicy(documented(x509)), { primitives: nodePrimitives, certificates })
    return policy.identities.find(({ name }) => name === 'a')?.authority?.id
  }

  it('come from files that are named once each, roots and intermediates', () => {
    const x509 = { roots: [one, { pem: two }, { file: 'a.pem' }, { file: 'b.pem' }], intermediates: [{ file: 'c.pem' }, { file: 'a.pem' }] }
    expect(certificateFilesOf(parsePolicy(documented(x509)).identities.values())).toEqual(['a.pem', 'b.pem', 'c.pem'])
    expect(certificateFilesOf([])).toEqual([])
  })

  it('make the same demand however they are given, and attack: another demand when anything in it differs, as where a root is a mere intermediate now', async () => {
    const demand = await idOf({ roots: [one] })
    expect(await idOf({ roots: [{ pem: one }] })).toBe(demand)
    expect(await idOf({ roots: [{ file: 'a.pem' }] }, new Map([['a.pem', one]]))).toBe(demand)
    const others = await Promise.all([
      idOf({ roots: [two] }),
      idOf({ roots: [one, two] }),
      idOf({ roots: [one], intermediates: [two] }),
      idOf({ roots: [one], subject: 't' }),
      idOf({ roots: [one], subject: { glob: 's' } }),
      idOf({ roots: [one], commonName: 's' }),
      idOf({ roots: [one], issuer: 's' }),
      idOf({ roots: [one], purpose: 'emailProtection' }),
      idOf({ roots: [one], verifierClock_UNSAFE: 'air gap' }),
    ])
    expect(new Set([demand, ...others]).size).toBe(10)
  })

  it('that lead to two roots with an intermediate are anchors each, with no end of their own', async () => {
    const policy = await compilePolicy(
      parsePolicy(documented({ roots: [one, two], intermediates: [two], validUntil: '2026-01-01T00:00:00Z' })),
      {
        primitives: nodePrimitives,
      },
    )
    const authority = policy.identities.find(({ name }) => name === 'a')?.authority
    expect(authority?.anchors.map(({ certificates, validFor }) => [certificates.length, validFor])).toEqual([
      [2, { start: Number.NEGATIVE_INFINITY }],
      [2, { start: Number.NEGATIVE_INFINITY }],
    ])
    expect(authority).toMatchObject({ text: 'subject s', time: { kind: 'trusted' }, purpose: { oid: '1.3.6.1.5.5.7.3.3' } })
  })

  it('accept the names that the demand has, all of them', async () => {
    const accepts = async (x509: Parts, subject: CertifiedSubject): Promise<boolean | undefined> => {
      const policy = await compilePolicy(parsePolicy(documented({ roots: [one], ...x509 })), { primitives: nodePrimitives })
      return policy.identities.find(({ name }) => name === 'a')?.authority?.accepts(subject)
    }
    const subject = { issuer: 'CN=acme', commonName: 'Alice', alternativeNames: ['a@acme.example', 's'] }
    const { commonName: _commonName, ...unnamed } = subject
    expect(await accepts({}, subject)).toBe(true)
    expect(await accepts({}, { ...subject, alternativeNames: ['x'] })).toBe(false)
    expect(await accepts({ commonName: 'Alice' }, subject)).toBe(true)
    expect(await accepts({ commonName: 'Bob' }, subject)).toBe(false)
    expect(await accepts({ commonName: { glob: '**' } }, unnamed)).toBe(false)
    expect(await accepts({ issuer: 'CN=acme' }, subject)).toBe(true)
    expect(await accepts({ issuer: 'CN=evil' }, subject)).toBe(false)
  })
})

it('a certificate of an own authority is revoked by any of its names', async () => {
  const own = (commonName: string | undefined): SignerEvidence => ({
    ...certified('alice@acme.example', 'CN=acme'),
    own: {
      authorities: [],
      names: [{ kind: 'email', value: 'alice@acme.example' }],
      distinguishedName: 'O=Acme',
      ...(commonName === undefined ? {} : { commonName }),
    },
  })
  const listOf = (subject: string): Parameters<typeof findRevocation>[1] => {
    const exact = (value: string): { kind: 'exact'; value: string } => ({ kind: 'exact', value })
    const target = { kind: 'certificate', issuer: exact('CN=acme'), subject: exact(subject) } as const
    return [{ name: 'list', version: 1, issuedMs: 0, expiresMs: now + 1, entries: [{ target, severity: 'deny', reason: 'left' }] }]
  }
  const isRevoked = async (subject: string, commonName?: string): Promise<boolean> =>
    findRevocation(await proven(own(commonName)), listOf(subject)) !== undefined
  expect(await Promise.all(['alice@acme.example', 'O=Acme', 'Alice', 'Bob'].map((name) => isRevoked(name, 'Alice')))).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(await Promise.all(['alice@acme.example', 'O=Acme', 'Alice', 'undefined'].map((name) => isRevoked(name)))).toEqual([
    true,
    true,
    false,
    false,
  ])
})
