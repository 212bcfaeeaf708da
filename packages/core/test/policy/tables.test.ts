import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import type { ProvenItem } from '../../src/policy/proven.ts'
import type { RevocationState } from '../../src/policy/revocations.ts'
import type { Decision } from '../../src/policy/model.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import { certified, compiled, daysAgo, judge, now, proven, sha256, somebody } from './fixture.ts'

const [alice, bob, carol, board] = [await somebody('alice'), await somebody('bob'), await somebody('carol'), await somebody('board')]
const decisions = ['allow', 'warn', 'deny'] as const
const order: Readonly<Record<Decision, number>> = { allow: 0, warn: 1, deny: 2 }
const worst = (all: readonly Decision[]): Decision => all.toSorted((a, b) => order[b] - order[a])[0] ?? 'allow'

describe('every combination of two rules and the state of a revocation list', () => {
  const outcomes = ['satisfied', 'missing', 'failed', 'could not tell', 'does not apply'] as const
  const lists = ['fresh', 'expired', 'expired, not required', 'missing', 'missing, not required'] as const
  const cases = outcomes.flatMap((first) =>
    outcomes.flatMap((second) => lists.flatMap((list) => decisions.map((made) => ({ first, second, list, made })))),
  )
  const type = { first: 'https://example.com/first', second: 'https://example.com/second' }

  it.each(cases)('first: $first, second: $second, list: $list, each made $made of', async ({ first, second, list, made }) => {
    const rule = (name: 'first' | 'second', outcome: (typeof outcomes)[number]): JsonValue => ({
      name,
      attestation: { type: type[name], by: 'alice', condition: 'predicate.ok == true' },
      ...(outcome === 'does not apply' ? { match: { images: ['elsewhere.example/**'] } } : {}),
      ...(outcome === 'missing'
        ? { onMissing: made, onFail: 'deny' }
        : { onMissing: outcome === 'could not tell' ? made : 'deny', onFail: made }),
    })
    const policy = await compiled({
      identities: { alice: { keys: [alice.pem] } },
      revocations: [{ name: 'list', keys: [board.pem], required: !list.endsWith('not required') }],
      require: [rule('first', first), rule('second', second)],
    })
    const evidence: ProvenItem[] = []
    for (const [name, outcome] of [
      ['first', first],
      ['second', second],
    ] as const) {
      if (outcome === 'satisfied' || outcome === 'failed')
        evidence.push(await proven(alice.signer, { type: type[name], predicate: { ok: outcome === 'satisfied' } }))
    }
    const open = first === 'could not tell' || second === 'could not tell'
    const expiresMs = list.startsWith('expired') ? now : now + 1000
    const state: RevocationState = {
      ok: true,
      signedBy: ['board'],
      list: { name: 'list', version: 1, issuedMs: daysAgo(9), expiresMs, entries: [] },
    }
    const verdict = judge(policy, evidence, {
      revocations: list.startsWith('missing') ? new Map() : new Map([['list', state]]),
      unreadable: open ? [{ code: 'registry_throttled', detail: '429' }] : [],
    })
    // The specification, said once more without the engine.
    const decided = (outcome: (typeof outcomes)[number]): Decision => {
      if (outcome === 'satisfied' || outcome === 'does not apply') return 'allow'
      // While a place could not be read, what is missing or failed cannot be told either, and never passes in silence.
      const asked: readonly Decision[] = outcome === 'missing' ? [made, 'deny'] : outcome === 'failed' ? ['deny', made] : [made, made]
      if (open) return worst([...asked, 'warn'])
      return made
    }
    const fresh = list === 'fresh'
    const ofList: Decision = fresh ? 'allow' : list.endsWith('not required') ? 'warn' : 'deny'
    const vacuous = first === 'does not apply' && second === 'does not apply'
    const expected = vacuous ? 'deny' : worst([ofList, decided(first), decided(second)])
    expect(verdict.decision).toBe(expected)
    const denied = [ofList === 'deny' ? (list.startsWith('expired') ? 'revocation_list_expired' : 'revocation_list_missing') : undefined]
    const refused = !open && [first, second].some((outcome) => decided(outcome) === 'deny')
    const codeOpen = open && [first, second].some((outcome) => decided(outcome) === 'deny') ? 'registry_throttled' : undefined
    const code = vacuous || refused ? 'policy_denied' : (denied[0] ?? codeOpen)
    expect(verdict.code).toBe(expected === 'deny' ? code : undefined)
  })
})

describe('every combination of terms, what is demanded of them, quorum and revocation', () => {
  const expiries = ['none', 'to come', 'past', 'too long'] as const
  const names = ['none', 'this', 'mirrored', 'another'] as const
  const demands = [
    {},
    { expires: 'required' },
    { maxLifetime: '30d' },
    { boundName: 'required' },
    { expires: 'required', boundName: 'required' },
  ] as const
  const cases = expiries.flatMap((expiry) =>
    names.flatMap((name) =>
      demands.flatMap((demand) =>
        [1, 2].flatMap((signers) => [true, false].map((revoked) => ({ expiry, name, demand, signers, revoked }))),
      ),
    ),
  )

  it.each(cases)(
    'expiry: $expiry, name: $name, demanded: $demand, $signers of 2 signed, revoked: $revoked',
    async ({ expiry, name, demand, signers, revoked }) => {
      const policy = await compiled({
        identities: { alice: { keys: [alice.pem] }, bob: { keys: [bob.pem] } },
        mirrors: [{ from: 'origin.example/**', to: 'registry.example/**' }],
        revocations: [{ name: 'list', keys: [board.pem] }],
        require: [{ name: 'signed', signature: { by: { allOf: ['alice', 'bob'] }, ...demand } }],
      })
      const expiresMs = {
        none: undefined,
        'to come': daysAgo(10) + 30 * 86_400_000,
        past: now - 1,
        'too long': daysAgo(10) + 31 * 86_400_000,
      }[expiry]
      const signed = {
        none: undefined,
        this: 'registry.example/team/app',
        mirrored: 'origin.example/team/app',
        another: 'registry.example/team/other',
      }[name]
      const terms = { ...(expiresMs === undefined ? {} : { expiresMs }), ...(signed === undefined ? {} : { name: signed }) }
      const good = { signedMs: daysAgo(10), terms: { expiresMs: now + 1000, name: 'registry.example/team/app' } }
      const evidence = [
        await proven(alice.signer, { signedMs: daysAgo(10), terms }),
        ...(signers === 2 ? [await proven(bob.signer, good)] : []),
      ]
      const target = { kind: 'key', fingerprint: alice.signer.fingerprint } as const
      const entries = revoked ? [{ target, severity: 'deny', reason: 'stolen' } as const] : []
      const list = { name: 'list', version: 1, issuedMs: daysAgo(9), expiresMs: now + 1, entries }
      const verdict = judge(policy, evidence, { revocations: new Map([['list', { ok: true, signedBy: [], list }]]) })
      // The specification, said once more without the engine.
      const lasts = expiry !== 'past'
      const enough = !('expires' in demand || 'maxLifetime' in demand) || expiry !== 'none'
      const short = !('maxLifetime' in demand) || expiry !== 'too long'
      const named = !('boundName' in demand) || name === 'this' || name === 'mirrored'
      expect(verdict.decision).toBe(lasts && enough && short && named && signers === 2 && !revoked ? 'allow' : 'deny')
    },
  )
})

describe('over random evidence of keys, certificates for them, terms and times', () => {
  const days = fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined })
  const signer = fc.constantFrom(
    alice.signer,
    bob.signer,
    carol.signer,
    ...[alice.signer.fingerprint, bob.signer.fingerprint, sha256(Uint8Array.of(1)), sha256(Uint8Array.of(2))].flatMap((key) => [
      certified('one@example.com', 'https://issuer.example', {}, key),
      certified('two@example.com', 'https://issuer.example', {}, key),
    ]),
  )
  const item = fc.record({ signer, signed: days, expires: days, named: fc.boolean(), source: fc.constantFrom('a', 'b') })
  const party = fc.constantFrom<JsonValue>(
    'alice',
    'staff',
    { allOf: ['alice', 'staff'] },
    { threshold: 2, of: ['alice', 'bob', 'one', 'staff'] },
    { threshold: 2, of: ['staff'] },
    { threshold: 3, of: ['alice', 'bob', 'staff'] },
    { allOf: [{ anyOf: ['alice', 'one'] }, { threshold: 2, of: ['bob', 'staff', 'windowed'] }] },
  )
  const certificate = (subject: JsonValue): JsonValue => ({ certificate: { issuer: 'https://issuer.example', subject } })

  it('order and duplicates change nothing, and a signature more never turns allow into deny', async () => {
    await fc.assert(
      fc.asyncProperty(
        party,
        fc.boolean(),
        fc.array(item, { maxLength: 6 }),
        item,
        fc.infiniteStream(fc.nat()),
        async (by, bound, items, more, random) => {
          const policy = await compiled({
            identities: {
              alice: { keys: [alice.pem] },
              bob: { keys: [bob.pem] },
              one: certificate('one@example.com'),
              staff: certificate({ glob: '*@example.com' }),
              windowed: { keys: [{ pem: carol.pem, validFrom: formatTime(daysAgo(20)) }] },
            },
            require: [{ name: 'signed', signature: { by, ...(bound ? { boundName: 'required', expires: 'required' } : {}) } }],
          })
          const toItem = ({ signer: who, signed, expires, named, source }: typeof more): Promise<ProvenItem> =>
            proven(who, {
              source,
              signedMs: signed === undefined ? undefined : daysAgo(signed),
              terms: {
                ...(expires === undefined ? {} : { expiresMs: daysAgo(20 - expires) }),
                ...(named ? { name: 'registry.example/team/app' } : {}),
              },
            })
          const evidence = await Promise.all(items.map(toItem))
          const before = judge(policy, evidence)
          const shuffled = evidence.map((one) => ({ one, at: random.next().value })).toSorted((a, b) => a.at - b.at)
          expect(
            judge(
              policy,
              shuffled.map(({ one }) => one),
            ),
          ).toEqual(before)
          expect(judge(policy, [...evidence, ...evidence.slice(0, 2)])).toEqual(before)
          const after = judge(policy, [...evidence, await toItem(more)])
          expect(order[after.decision]).toBeLessThanOrEqual(order[before.decision])
        },
      ),
      { numRuns: 300 },
    )
  })
})
