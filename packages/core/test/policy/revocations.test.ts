import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import type { Digest } from '../../src/digest.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { acceptRevocations, rollbackOf, type RevocationState, type SeenRevocations } from '../../src/policy/revocations.ts'
import {
  parseRevocationList,
  revocationListJson,
  revocationPayloadType,
  type RevocationEntry,
  type RevocationList,
} from '../../src/policy/revocation-list.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { newTestKey, signWith, type TestKey } from '../verify/forge.ts'
import { refusal } from '../refusal.ts'
import { certified, compiled, daysAgo, digest, now, proven, somebody, type Somebody, recorded } from './fixture.ts'

const [alice, ...board] = (await Promise.all(['alice', 'one', 'two', 'three'].map(somebody))) as [Somebody, Somebody, Somebody, Somebody]
const [one, two, three] = board.map(({ key }) => key) as [TestKey, TestKey, TestKey]
const identities = { alice: { keys: [alice.pem] }, ci: { certificate: { issuer: { glob: '**' }, subject: { glob: '*@example.com' } } } }

const policy = await compiled({
  identities,
  revocations: [{ name: 'main', keys: board.map(({ pem }) => pem), threshold: 2, minVersion: 2 }],
  require: [{ name: 'signed', signature: { by: { anyOf: ['alice', 'ci'] } } }],
})
const [source] = policy.revocations as [(typeof policy.revocations)[0]]

const aliceKey: RevocationEntry = { target: { kind: 'key', fingerprint: alice.signer.fingerprint }, severity: 'deny', reason: 'stolen' }
const base: RevocationList = { name: 'main', version: 5, issuedMs: daysAgo(1), expiresMs: now + 86_400_000, entries: [aliceKey] }

function signed(list: Partial<RevocationList> | Uint8Array, keys: readonly TestKey[], type = revocationPayloadType): Uint8Array {
  const payload = list instanceof Uint8Array ? list : utf8(JSON.stringify(revocationListJson({ ...base, ...list })))
  const signatures = keys.map((key) => ({ sig: bytesToBase64(signWith(key, preAuthEncoding(type, payload))) }))
  return utf8(JSON.stringify({ payloadType: type, payload: bytesToBase64(payload), signatures }))
}

async function outcome(envelope: Uint8Array | undefined, seen?: SeenRevocations): Promise<string> {
  const state = await acceptRevocations(envelope, source, now, nodePrimitives, seen)
  return state.ok ? 'accepted' : state.code
}

describe('a list of revocations', () => {
  it('is accepted with enough signatures, and says whose', async () => {
    expect(await acceptRevocations(signed({}, [one, two]), source, now, nodePrimitives)).toMatchObject({
      ok: true,
      list: { version: 5 },
      signedBy: [{}, {}].map(() => expect.any(String) as string),
    })
  })

  it.each<[string, () => Uint8Array | undefined, string]>([
    ['none', () => undefined, 'revocation_list_missing'],
    ['signed by one of two', () => signed({}, [one]), 'revocation_list_unsigned'],
    ['attack: signed twice by one', () => signed({}, [one, one]), 'revocation_list_unsigned'],
    ['attack: signed by whom it revokes', () => signed({}, [one, alice.key]), 'revocation_list_unsigned'],
    ['attack: signed by strangers', () => signed({}, [newTestKey(), newTestKey()]), 'revocation_list_unsigned'],
    [
      'attack: a statement that was signed for something else',
      () => signed({}, [one, two], 'application/vnd.in-toto+json'),
      'revocation_list_malformed',
    ],
    ['of another name', () => signed({ name: 'other' }, [one, two]), 'revocation_list_malformed'],
    ['attack: an expired one (freeze)', () => signed({ expiresMs: now }, [one, two]), 'revocation_list_expired'],
    ['attack: older than the policy pins (rollback)', () => signed({ version: 1 }, [one, two]), 'revocation_list_rolled_back'],
    ['from the future', () => signed({ issuedMs: now + 120_000 }, [one, three]), 'revocation_list_malformed'],
    ['that is no list', () => signed(utf8('{}'), [one, two]), 'revocation_list_malformed'],
    ['that is no envelope', () => utf8('x'), 'revocation_list_malformed'],
  ])('%s: %#', async (_what, envelope, code) => {
    expect(await outcome(envelope())).toBe(code)
  })

  it('attack: an altered one is unsigned', async () => {
    const text = new TextDecoder().decode(signed({}, [one, two]))
    const other = bytesToBase64(utf8(JSON.stringify(revocationListJson({ ...base, entries: [] }))))
    expect(await outcome(utf8(text.replace(/"payload":"[^"]*"/, `"payload":"${other}"`)))).toBe('revocation_list_unsigned')
  })

  it.each<[string, Partial<RevocationList>, string]>([
    ['the same again', {}, 'accepted'],
    ['a later version with more', { version: 6, entries: [aliceKey, { ...aliceKey, target: { kind: 'artifact', digest } }] }, 'accepted'],
    ['attack: an older version', { version: 4 }, 'revocation_list_rolled_back'],
    ['attack: a later version without the entry', { version: 6, entries: [] }, 'revocation_list_rolled_back'],
    [
      'attack: a later version with a later moment',
      { version: 6, entries: [{ ...aliceKey, effectiveMs: daysAgo(3) }] },
      'revocation_list_rolled_back',
    ],
    [
      'attack: a later version that only warns',
      { version: 6, entries: [{ ...aliceKey, severity: 'warn' }] },
      'revocation_list_rolled_back',
    ],
    [
      'attack: another list of the same version',
      { entries: [aliceKey, { ...aliceKey, target: { kind: 'artifact', digest } }] },
      'revocation_list_rolled_back',
    ],
  ])('after version 5 was seen: %s', async (_what, list, code) => {
    expect(await outcome(signed(list, [one, two]), base)).toBe(code)
  })

  it('attack: two lists of one version, of which one revokes from an earlier moment, are noticed', () => {
    const late = { ...base, entries: [{ ...aliceKey, effectiveMs: daysAgo(5) }] }
    expect(rollbackOf(late, base)?.code).toBe('revocation_list_rolled_back')
  })

  it('lets a moment move earlier only', () => {
    const at = (days: number): RevocationList => ({ ...base, version: 6, entries: [{ ...aliceKey, effectiveMs: daysAgo(days) }] })
    expect(rollbackOf({ ...at(5), version: 5 }, at(6))).toBeUndefined()
    expect(rollbackOf({ ...at(5), version: 5 }, at(5))).toBeUndefined()
    expect(rollbackOf({ ...at(5), version: 5 }, at(4))?.code).toBe('revocation_list_rolled_back')
    expect(rollbackOf({ ...at(5), version: 5 }, { ...base, version: 6 })).toBeUndefined()
  })

  it.each<[string, JsonValue]>([
    ['an unknown target', { target: { person: 'x' }, reason: 'x' }],
    ['two targets', { target: { key: digest, artifact: digest }, reason: 'x' }],
    ['no reason', { target: { key: digest } }],
    ['a pattern', { target: { certificate: { issuer: 'x', subject: { pattern: '.*' } } }, reason: 'x' }],
    ['an unknown severity', { target: { key: digest }, severity: 'allow', reason: 'x' }],
    ['an unknown field', { target: { key: digest }, reason: 'x', until: 'tomorrow' }],
  ])('is revocation_list_malformed with %s', (_what, entry) => {
    const list = { ...revocationListJson({ ...base, entries: [] }), entries: [entry] }
    expect(refusal(() => parseRevocationList(utf8(JSON.stringify(list))))).toBe('revocation_list_malformed')
  })
})

describe('what a list revokes', () => {
  const keyless = certified('dev@example.com')
  const content = { kind: 'signature', content: digest, signer: alice.signer.fingerprint } as const
  const cases: [string, RevocationEntry['target'], boolean, boolean][] = [
    ['a key', aliceKey.target, true, false],
    [
      'a certificate identity',
      { kind: 'certificate', issuer: { kind: 'exact', value: 'https://issuer.example' }, subject: { kind: 'glob', value: 'dev@*' } },
      false,
      true,
    ],
    ['an entry of a log', { kind: 'logEntry', log: 'https://log.example', index: 7 }, false, true],
    ['an artifact', { kind: 'artifact', digest }, true, true],
    ['one signature', content, true, false],
    ['another key', { kind: 'key', fingerprint: digest }, false, false],
    ['an entry of another log', { kind: 'logEntry', log: 'https://other.example', index: 7 }, false, false],
    ['another signature', { ...content, content: `sha256:${'1'.repeat(64)}` as Digest }, false, false],
  ]

  it.each(cases)('%s', async (_what, target, hitsKey, hitsCertificate) => {
    const revocations = new Map<string, RevocationState>([
      ['main', { ok: true, list: { ...base, entries: [{ ...aliceKey, target }] }, signedBy: [] }],
    ])
    const byKey = recorded(policy, [await proven(alice.signer, { content: 'message' })], { revocations }).decision
    const byCertificate = recorded(policy, [await proven(keyless, { logged: true })], { revocations }).decision
    expect([byKey, byCertificate]).toEqual([hitsKey ? 'deny' : 'allow', hitsCertificate ? 'deny' : 'allow'])
  })

  it('stays valid when it was made before the effective moment, by trusted time alone', async () => {
    const revocations = new Map<string, RevocationState>([
      ['main', { ok: true, list: { ...base, entries: [{ ...aliceKey, effectiveMs: daysAgo(5) }] }, signedBy: [] }],
    ])
    const at = async (signedMs?: number): Promise<string> =>
      recorded(policy, [await proven(alice.signer, { signedMs })], { revocations }).decision
    expect([await at(daysAgo(5) - 1), await at(daysAgo(5)), await at(daysAgo(4)), await at()]).toEqual(['allow', 'deny', 'deny', 'deny'])
  })

  it('says which list and why', async () => {
    const revocations = new Map<string, RevocationState>([['main', { ok: true, list: base, signedBy: [] }]])
    const verdict = recorded(policy, [await proven(alice.signer)], { revocations })
    expect(verdict.rules[0]?.looked[0]).toMatchObject({
      status: 'does_not_count',
      detail: expect.stringContaining('revoked by main for all time: stolen') as string,
    })
  })
})

describe('a list that the policy demands', () => {
  const at = async (state: RevocationState | undefined, required = true): Promise<[string, string | undefined]> => {
    const compiledPolicy = required ? policy : { ...policy, revocations: [{ ...source, required }] }
    const revocations = new Map(state === undefined ? [] : [['main', state]])
    const { decision, code } = recorded(compiledPolicy, [await proven(certified('dev@example.com'))], { revocations })
    return [decision, code]
  }
  const fresh: RevocationState = { ok: true, list: base, signedBy: [] }

  it.each<[string, RevocationState | undefined, boolean, string, string | undefined]>([
    ['is there', fresh, true, 'allow', undefined],
    ['is missing', undefined, true, 'deny', 'revocation_list_missing'],
    ['was refused', { ok: false, code: 'revocation_list_unsigned', detail: '' }, true, 'deny', 'revocation_list_unsigned'],
    ['has expired since it was accepted', { ...fresh, list: { ...base, expiresMs: now } }, true, 'deny', 'revocation_list_expired'],
    ['is older than the policy pins', { ...fresh, list: { ...base, version: 1 } }, true, 'deny', 'revocation_list_rolled_back'],
    ['is missing and not required', undefined, false, 'warn', undefined],
  ])('%s', async (_what, state, required, decision, code) => {
    expect(await at(state, required)).toEqual([decision, code])
  })

  it('attack: revokes even when it has expired, where it is not required', async () => {
    const optional = { ...policy, revocations: [{ ...source, required: false }] }
    const state = await acceptRevocations(signed({ expiresMs: now - 1 }, [one, two]), source, now, nodePrimitives)
    const verdict = recorded(optional, [await proven(alice.signer)], { revocations: new Map([['main', state]]) })
    expect([state.ok, verdict.decision]).toEqual([false, 'deny'])
  })
})
