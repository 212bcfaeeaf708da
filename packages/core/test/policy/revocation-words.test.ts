import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import type { Digest } from '../../src/digest.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import { CountersignError } from '../../src/failure.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { amendRevocations, newRevocationList } from '../../src/policy/revocation-edit.ts'
import {
  parseRevocationList,
  revocationListJson,
  revocationPayloadType,
  targetKey,
  type RevocationEntry,
  type RevocationList,
  type RevocationTarget,
} from '../../src/policy/revocation-list.ts'
import { acceptRevocations, ageProblem, rollbackOf, type RevocationState } from '../../src/policy/revocations.ts'
import { clockSkewMs } from '../../src/verify/time.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { newTestKey, signPrehashed, signWith, type TestKey } from '../verify/forge.ts'
import { failureOf } from '../refusal.ts'
import { told } from '../told.ts'
import { certified, compiled, daysAgo, digest, now, proven, recorded, somebody } from './fixture.ts'

const [alice, one, two] = [await somebody('alice'), await somebody('one'), await somebody('two')]
const other = `sha256:${'1'.repeat(64)}` as Digest
const issuer = 'https://issuer.example'
const policy = await compiled({
  identities: {
    alice: { keys: [alice.pem] },
    ci: { certificate: { issuer: { glob: '**' }, subject: { glob: '*@example.com' } } },
  },
  revocations: [{ name: 'main', keys: [one.pem, two.pem], threshold: 2, minVersion: 2 }],
  require: [{ name: 'signed', signature: { by: { anyOf: ['alice', 'ci'] } } }],
})
const [source] = policy.revocations as [(typeof policy.revocations)[0]]

const targets = {
  'a key': { kind: 'key', fingerprint: alice.signer.fingerprint },
  'an exact name': { kind: 'certificate', issuer: { kind: 'exact', value: issuer }, subject: { kind: 'exact', value: 'dev@example.com' } },
  'names by globs': { kind: 'certificate', issuer: { kind: 'glob', value: 'https://**' }, subject: { kind: 'glob', value: 'dev@*' } },
  'an entry of a log': { kind: 'logEntry', log: 'https://log.example', index: 7 },
  'an artifact': { kind: 'artifact', digest },
  'a signature': { kind: 'signature', content: digest, signer: alice.signer.fingerprint },
} as const satisfies Record<string, RevocationTarget>

const entryOf = (target: RevocationTarget, more: Partial<RevocationEntry> = {}): RevocationEntry => ({
  target,
  severity: 'deny',
  reason: 'stolen',
  ...more,
})
const base: RevocationList = { name: 'main', version: 5, issuedMs: daysAgo(1), expiresMs: now + 1000, entries: [entryOf(targets['a key'])] }
const everything = {
  ...base,
  entries: Object.values(targets).map((target) => entryOf(target, { effectiveMs: daysAgo(5), severity: 'warn' })),
}

function documentWith(change: { readonly [name: string]: JsonValue | undefined }): Uint8Array {
  return utf8(JSON.stringify({ ...revocationListJson(base), ...change }))
}
const withEntry = (entry: JsonValue): Uint8Array => documentWith({ entries: [entry] })
const withTarget = (target: JsonValue): Uint8Array => withEntry({ target, reason: 'x' })

describe('a list of revocations', () => {
  it('is read as it was written, whatever it revokes', () => {
    expect(parseRevocationList(utf8(JSON.stringify(revocationListJson(everything))))).toStrictEqual(everything)
    expect(parseRevocationList(documentWith({}))).toStrictEqual(base)
    expect(parseRevocationList(withEntry({ target: { key: digest }, reason: 'x' })).entries).toStrictEqual([
      { target: { kind: 'key', fingerprint: digest }, severity: 'deny', reason: 'x' },
    ])
    expect(told(revocationListJson(everything))).toMatchSnapshot()
  })

  it('tells equal targets by one text, and different ones by different ones', () => {
    const all = Object.values(targets)
    expect(new Set(all.map(targetKey)).size).toBe(all.length)
    expect(told(all.map(targetKey))).toMatchSnapshot()
  })

  it.each<[string, Uint8Array]>([
    ['no JSON', utf8('{')],
    ['no object', utf8('[]')],
    ['another kind', documentWith({ kind: 'ArtifactPolicy' })],
    ['another version of the format', documentWith({ apiVersion: 'countersign.dev/v2' })],
    ['an unknown field', documentWith({ until: 'x' })],
    ['version 0', documentWith({ version: 0 })],
    ['a version that is no number', documentWith({ version: '1' })],
    ['no time', documentWith({ issued: undefined })],
    ['a time that is none', documentWith({ expires: 'never' })],
    ['an expiry at its issue', documentWith({ expires: new Date(base.issuedMs).toISOString() })],
    ['no name', documentWith({ name: '' })],
    ['entries that are no list', documentWith({ entries: {} })],
    ['an entry that is none', withEntry(7)],
    ['no target', withEntry({ reason: 'x' })],
    ['a target of nothing', withTarget({})],
    ['a target of two things', withTarget({ key: digest, artifact: digest })],
    ['an unknown target', withTarget({ person: 'x' })],
    ['a digest that is none', withTarget({ key: 'sha256:0' })],
    ['an artifact that is none', withTarget({ artifact: 'x' })],
    ['a signature without signer', withTarget({ signature: { content: digest } })],
    ['a signature of more', withTarget({ signature: { content: digest, signer: digest, log: 'x' } })],
    ['an index below zero', withTarget({ logEntry: { log: 'x', index: -1 } })],
    ['a log without name', withTarget({ logEntry: { log: '', index: 1 } })],
    ['a log entry of more', withTarget({ logEntry: { log: 'x', index: 1, time: 1 } })],
    ['a certificate without subject', withTarget({ certificate: { issuer: 'x' } })],
    ['a certificate of more', withTarget({ certificate: { issuer: 'x', subject: 'y', serial: 1 } })],
    ['a pattern', withTarget({ certificate: { issuer: { pattern: '.*' }, subject: 'x' } })],
    ['another severity', withEntry({ target: { key: digest }, severity: 'allow', reason: 'x' })],
    ['no reason', withEntry({ target: { key: digest } })],
    ['a moment that is none', withEntry({ target: { key: digest }, effective: 'x', reason: 'x' })],
  ])('is malformed with %s, in these words', (_what, payload) => {
    const { code, message, expected, found } = failureOf(() => parseRevocationList(payload)) ?? {}
    expect(code).toBe('revocation_list_malformed')
    expect(told([message, expected ?? '', found ?? ''])).toMatchSnapshot()
  })

  it('has index 0, version 1 and a life of a millisecond at least', () => {
    expect(parseRevocationList(documentWith({ version: 1 })).version).toBe(1)
    expect(parseRevocationList(withTarget({ logEntry: { log: 'x', index: 0 } })).entries).toHaveLength(1)
    const expires = new Date(base.issuedMs + 1).toISOString()
    expect(parseRevocationList(documentWith({ expires })).expiresMs).toBe(base.issuedMs + 1)
  })
})

describe('what is made of a list', () => {
  function signed(list: Partial<RevocationList> | Uint8Array, keys: readonly TestKey[], type = revocationPayloadType): Uint8Array {
    const payload = list instanceof Uint8Array ? list : utf8(JSON.stringify(revocationListJson({ ...base, ...list })))
    const signatures = keys.map((key) => ({ sig: bytesToBase64(signWith(key, preAuthEncoding(type, payload))) }))
    return utf8(JSON.stringify({ payloadType: type, payload: bytesToBase64(payload), signatures }))
  }
  const both = [one.key, two.key]

  it.each<[string, () => Uint8Array | undefined]>([
    ['nothing', () => undefined],
    ['garbage', () => utf8('x')],
    ['one that nobody signed', () => signed({}, [newTestKey()])],
    ['one that too few signed', () => signed({}, [one.key])],
    ['one of another type', () => signed({}, both, `application/${'x'.repeat(100)}`)],
    ['one that is no list', () => signed(utf8('{}'), both)],
    ['one of another name', () => signed({ name: 'other' }, both)],
    ['one of version 1', () => signed({ version: 1 }, both)],
    ['one of version 2', () => signed({ version: 2 }, both)],
    ['one that expires now', () => signed({ expiresMs: now }, both)],
    ['one that expires in a moment', () => signed({ expiresMs: now + 1 }, both)],
    ['one of a minute later', () => signed({ issuedMs: now + clockSkewMs, expiresMs: now + 2 * clockSkewMs }, both)],
    ['one of more than a minute later', () => signed({ issuedMs: now + clockSkewMs + 1, expiresMs: now + 2 * clockSkewMs }, both)],
  ])('%s', async (_what, envelope) => {
    const state = await acceptRevocations(envelope(), source, now, nodePrimitives)
    // Labels of keys are their fingerprints; which key is which differs in each run.
    expect(told(state)).toMatchSnapshot()
  })

  it('is that both have signed, in the order in which the policy names them', async () => {
    const state = await acceptRevocations(signed({}, [two.key, one.key]), source, now, nodePrimitives)
    expect(state.ok && state.signedBy).toEqual([one.signer.fingerprint, two.signer.fingerprint])
  })

  it('is also signed with Ed25519ph, as cosign signs envelopes', async () => {
    const key = newTestKey('ed25519')
    const trusted = { ...source, keys: [{ key: key.publicKey, label: 'board' }], threshold: 1 }
    const payload = documentWith({})
    const sig = bytesToBase64(signPrehashed(key, preAuthEncoding(revocationPayloadType, payload)))
    const envelope = { payloadType: revocationPayloadType, payload: bytesToBase64(payload), signatures: [{ sig }] }
    expect(await acceptRevocations(utf8(JSON.stringify(envelope)), trusted, now, nodePrimitives)).toMatchObject({
      ok: true,
      signedBy: ['board'],
    })
  })

  it('attack: a signature said a thousand times is verified once', async () => {
    let verified = 0
    const primitives: typeof nodePrimitives = {
      ...nodePrimitives,
      verify: (...all) => {
        verified++
        return nodePrimitives.verify(...all)
      },
    }
    const stranger = newTestKey()
    await acceptRevocations(signed({}, [stranger]), source, now, primitives)
    const once = verified
    const sig = bytesToBase64(signWith(stranger, utf8('x')))
    const envelope = {
      payloadType: revocationPayloadType,
      payload: bytesToBase64(documentWith({})),
      signatures: Array.from({ length: 30 }, () => ({ sig })),
    }
    await acceptRevocations(utf8(JSON.stringify(envelope)), source, now, primitives)
    expect([once, verified]).toEqual([2, 4])
  })

  it('is nothing but a defect when the platform is broken', async () => {
    for (const cause of [new TypeError('defect'), new CountersignError('internal', 'defect')]) {
      const primitives = { ...nodePrimitives, verify: () => Promise.reject(cause) }
      await expect(acceptRevocations(signed({}, both), source, now, primitives)).rejects.toBe(cause)
    }
  })

  it('keeps what an authentic list revokes that is too old, and nothing of a foreign one', async () => {
    const states = await Promise.all(
      [{ expiresMs: now }, { name: 'other' }, { version: 1 }].map(async (list) =>
        acceptRevocations(signed(list, both), source, now, nodePrimitives),
      ),
    )
    expect(states.map((state) => 'list' in state)).toEqual([true, false, true])
  })

  it('is not rolled back, which is told', async () => {
    const softer = { ...base, version: 6, entries: [entryOf(targets['a key'], { severity: 'warn' as const })] }
    const more = { ...base, entries: [...base.entries, entryOf(targets['an artifact'])] }
    expect(
      told([
        rollbackOf({ ...base, version: 6 }, base),
        rollbackOf(base, softer),
        rollbackOf(base, { ...base, version: 6, entries: [] }),
        rollbackOf(base, more),
        rollbackOf(base, { ...more, version: 6 }) ?? 'accepted',
        rollbackOf(base, base) ?? 'accepted',
        rollbackOf(more, { ...more, entries: more.entries.toReversed() }) ?? 'accepted',
      ]),
    ).toMatchSnapshot()
    expect(rollbackOf({ version: 1, entries: [entryOf(targets['a key'], { severity: 'warn' })] }, softer)).toBeUndefined()
    const twice = [entryOf(targets['a key'], { severity: 'warn' }), entryOf(targets['a key'], { effectiveMs: daysAgo(3) })]
    expect(rollbackOf({ version: 5, entries: twice }, { ...base, version: 6, entries: twice.toReversed() })).toBeUndefined()
    expect(rollbackOf({ version: 5, entries: [entryOf(targets['a key'])] }, { ...base, version: 6, entries: twice })?.code).toBe(
      'revocation_list_rolled_back',
    )
    expect(await acceptRevocations(signed({ version: 5 }, both), source, now, nodePrimitives, { version: 6, entries: [] })).toMatchObject({
      ok: false,
      code: 'revocation_list_rolled_back',
      detail: 'revocations main: version 5 after version 6 was seen',
      list: { version: 5 },
    })
  })

  it('is judged again at each moment', () => {
    const { name } = source
    expect(ageProblem(base, { name, minVersion: 5 }, base.expiresMs - 1)).toBeUndefined()
    expect(ageProblem(base, { name, minVersion: 6 }, base.expiresMs - 1)?.code).toBe('revocation_list_rolled_back')
    expect(ageProblem(base, { name, minVersion: 5 }, base.expiresMs)?.code).toBe('revocation_list_expired')
    expect(ageProblem(base, { name, minVersion: 5 }, base.issuedMs - clockSkewMs)).toBeUndefined()
    expect(ageProblem(base, { name, minVersion: 5 }, base.issuedMs - clockSkewMs - 1)?.code).toBe('revocation_list_malformed')
  })
})

describe('a verdict says of a revocation', () => {
  const judged = async (...entries: readonly RevocationEntry[]): Promise<readonly string[]> => {
    const state: RevocationState = { ok: true, list: { ...base, entries }, signedBy: ['one', 'two'] }
    const revocations = new Map([['main', state]])
    const items = [
      await proven(alice.signer, { content: 'message' }),
      await proven(alice.signer, { content: 'message', signedMs: daysAgo(2) }),
      await proven(certified('dev@example.com', issuer), { logged: true, signedMs: daysAgo(9) }),
      await proven(certified('dev@example.com', 'http://other.example'), { logged: true }),
    ]
    return items.map((item) => recorded(policy, [item], { revocations }).decision)
  }

  it.each(Object.entries(targets))(
    'of %s, for all time, from a moment on, and as a warning, what, since when and why',
    async (_what, target) => {
      expect(await judged(entryOf(target))).toContain('deny')
      const since = await judged(entryOf(target, { effectiveMs: daysAgo(3) }))
      expect(since[2]).toBe('allow')
      const warned = await judged(entryOf(target, { severity: 'warn' }))
      expect(warned).toContain('warn')
      expect(warned).not.toContain('deny')
    },
  )

  it('nobody else by an exact name with stars in it', async () => {
    const exact = (value: string) => ({ kind: 'exact', value }) as const
    const named = { kind: 'certificate', issuer: exact(issuer), subject: exact('*@example.com') } as const
    expect(await judged(entryOf(named))).toEqual(['allow', 'allow', 'allow', 'allow'])
  })

  it('the gravest of several, whichever comes first', async () => {
    const warning = entryOf(targets['a key'], { severity: 'warn', reason: 'perhaps' })
    const denied = ['deny', 'deny', 'deny', 'deny']
    expect(await judged(warning, entryOf(targets['an artifact']))).toEqual(denied)
    expect(await judged(entryOf(targets['an artifact']), warning)).toEqual(denied)
    const second = entryOf(targets['an artifact'], { severity: 'warn', reason: 'second' })
    expect(await judged(warning, second)).toEqual(['warn', 'warn', 'warn', 'warn'])
    expect(await judged(warning, { ...warning, reason: 'third' })).toEqual(['warn', 'warn', 'allow', 'allow'])
  })

  it('nothing of other keys, names, indices and content', async () => {
    const decisions = await judged(
      entryOf({ kind: 'key', fingerprint: other }),
      entryOf({ kind: 'artifact', digest: other }),
      entryOf({ kind: 'logEntry', log: 'https://log.example', index: 8 }),
      entryOf({ kind: 'logEntry', log: 'https://other.example', index: 7 }),
      entryOf({ kind: 'signature', content: digest, signer: other }),
      entryOf({ kind: 'signature', content: other, signer: alice.signer.fingerprint }),
      entryOf({ ...targets['an exact name'], subject: { kind: 'exact', value: 'dev@example' } }),
      entryOf({ ...targets['an exact name'], issuer: { kind: 'exact', value: 'https://issuer' } }),
    )
    expect(decisions).toEqual(['allow', 'allow', 'allow', 'allow'])
  })

  it('of a list that cannot be relied on why, and what it comes to', async () => {
    const states: (RevocationState | undefined)[] = [
      undefined,
      { ok: false, code: 'revocation_list_unsigned', detail: 'too few' },
      { ok: true, list: { ...base, version: 1 }, signedBy: [] },
      { ok: false, code: 'revocation_list_expired', detail: 'old', list: base },
    ]
    for (const state of states) {
      const revocations = new Map(state === undefined ? [] : [['main', state]])
      for (const required of [true, false]) {
        const lists = { ...policy, revocations: [{ ...source, required }] }
        const revoked = state !== undefined && 'list' in state
        expect(recorded(lists, [await proven(alice.signer)], { revocations }).decision).toBe(required || revoked ? 'deny' : 'warn')
        const { decision } = recorded(lists, [await proven(certified('dev@example.com'))], { revocations })
        expect(decision).toBe(required ? 'deny' : 'warn')
      }
    }
  })

  it('nothing of a list that the policy does not name', async () => {
    const foreign: RevocationState = { ok: true, list: base, signedBy: [] }
    const revocations = new Map([
      ['main', { ...foreign, list: { ...base, entries: [] } }],
      ['other', foreign],
    ])
    expect(recorded(policy, [await proven(alice.signer)], { revocations }).decision).toBe('allow')
  })
})

describe('the next version', () => {
  const times = { issuedMs: now, expiresMs: now + 1000 }
  const first = newRevocationList('acme', { add: [entryOf(targets['a key'], { effectiveMs: daysAgo(5) })], ...times })

  it('is whole: name, version, times and entries', () => {
    const added = entryOf(targets['an artifact'], { severity: 'warn' })
    expect(first).toStrictEqual({ name: 'acme', version: 1, ...times, entries: first.entries })
    expect(amendRevocations(first, { add: [added], issuedMs: now, expiresMs: now + 1 })).toStrictEqual({
      name: 'acme',
      version: 2,
      issuedMs: now,
      expiresMs: now + 1,
      entries: [...first.entries, added],
    })
  })

  it('is refused in these words', () => {
    const changes = [
      { add: [], issuedMs: now, expiresMs: now },
      { add: [], issuedMs: now - 1, expiresMs: now + 1 },
      { add: [entryOf(targets['a key'], { effectiveMs: daysAgo(4) })], ...times },
      { add: [entryOf(targets['a key'], { effectiveMs: daysAgo(5), severity: 'warn' as const })], ...times },
    ]
    const always = newRevocationList('acme', { add: [entryOf(targets['a key'])], ...times })
    const words = [...changes.map((change) => [first, change] as const), [always, changes[2] as (typeof changes)[2]] as const].map(
      ([list, change]) => {
        const { code, message, expected, hint } = failureOf(() => amendRevocations(list, change)) ?? {}
        return [code, message, expected ?? '', hint ?? '']
      },
    )
    expect(told(words)).toMatchSnapshot()
  })
})
