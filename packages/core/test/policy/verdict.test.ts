import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import type { ProvenItem } from '../../src/policy/proven.ts'
import type { RevocationEntry } from '../../src/policy/revocation-list.ts'
import type { RevocationState } from '../../src/policy/revocations.ts'
import { certified, compiled, daysAgo, image, judge, now, proven, sha256, somebody, recorded } from './fixture.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const decisions = ['allow', 'warn', 'deny'] as const
const sbom = 'https://spdx.dev/Document'

function listOf(entries: readonly RevocationEntry[], expiresMs = now + 1000): ReadonlyMap<string, RevocationState> {
  return new Map([
    ['list', { ok: true, signedBy: ['board'], list: { name: 'list', version: 3, issuedMs: daysAgo(1), expiresMs, entries } }],
  ])
}

describe('every combination of quorum, window, revocation and what the rule makes of a failure', () => {
  const revocationCases = ['none', 'before', 'after', 'always', 'warned'] as const
  const cases = [1, 2].flatMap((signers) =>
    (['inside', 'outside', 'no time', 'no window'] as const).flatMap((window) =>
      revocationCases.flatMap((revocation) => decisions.map((onFail) => ({ signers, window, revocation, onFail }))),
    ),
  )

  it.each(cases)(
    '$signers of 2 signed, window: $window, revocation: $revocation, onFail: $onFail',
    async ({ signers, window, revocation, onFail }) => {
      const validUntil = window === 'outside' ? daysAgo(12) : daysAgo(2)
      const windowed = { pem: alice.pem, validFrom: formatTime(daysAgo(30)), validUntil: formatTime(validUntil) }
      const policy = await compiled({
        identities: { alice: { keys: [window === 'no window' ? alice.pem : windowed] }, bob: { keys: [bob.pem] } },
        revocations: [{ name: 'list', keys: [board.pem] }],
        require: [{ name: 'signed', signature: { by: { allOf: ['alice', 'bob'] } }, onFail }],
      })
      const signedMs = window === 'no time' ? undefined : daysAgo(10)
      const evidence = [await proven(alice.signer, { signedMs }), ...(signers === 2 ? [await proven(bob.signer)] : [])]
      const target = { kind: 'key', fingerprint: alice.signer.fingerprint } as const
      const effective = { before: daysAgo(11), after: daysAgo(9), always: undefined, none: undefined, warned: daysAgo(11) }[revocation]
      const severity = revocation === 'warned' ? 'warn' : 'deny'
      const entry = { target, severity, reason: 'stolen', ...(effective === undefined ? {} : { effectiveMs: effective }) } as const
      const verdict = recorded(policy, evidence, { revocations: listOf(revocation === 'none' ? [] : [entry]) })
      // The specification, said once more without the engine.
      const valid = window === 'inside' || window === 'no window'
      const untouched = revocation === 'none' || (revocation === 'after' && signedMs !== undefined)
      const expected = signers < 2 || !valid ? onFail : untouched ? 'allow' : revocation === 'warned' ? 'warn' : onFail
      expect(verdict.decision).toBe(expected)
      expect(verdict.code).toBe(expected === 'deny' ? 'policy_denied' : undefined)
    },
  )
})

describe('every combination of what is there, onMissing and onFail', () => {
  const cases = (['nothing', 'a stranger', 'a failure', 'a success', 'nothing readable'] as const).flatMap((there) =>
    decisions.flatMap((onMissing) => decisions.map((onFail) => ({ there, onMissing, onFail }))),
  )
  const order = { allow: 0, warn: 1, deny: 2 }

  it.each(cases)('$there, onMissing: $onMissing, onFail: $onFail', async ({ there, onMissing, onFail }) => {
    const policy = await compiled({
      identities: { alice: { keys: [alice.pem] } },
      require: [{ name: 'sbom', attestation: { type: sbom, by: 'alice', condition: 'predicate.ok == true' }, onMissing, onFail }],
    })
    const evidence: Record<typeof there, readonly ProvenItem[]> = {
      nothing: [],
      'nothing readable': [],
      'a stranger': [await proven(bob.signer, { type: sbom, predicate: { ok: true } })],
      'a failure': [await proven(alice.signer, { type: sbom, predicate: { ok: false } })],
      'a success': [await proven(alice.signer, { type: sbom, predicate: { ok: true } })],
    }
    const unreadable = there === 'nothing readable' ? [{ code: 'registry_throttled', detail: '429' } as const] : []
    const verdict = recorded(policy, evidence[there], { unreadable })
    const gravest = [onMissing, onFail, 'warn' as const].toSorted((a, b) => order[b] - order[a])[0]
    const expected = {
      nothing: onMissing,
      'a stranger': onMissing,
      'a failure': onFail,
      'a success': 'allow',
      'nothing readable': gravest,
    }[there]
    expect(verdict.decision).toBe(expected)
    const code = there === 'nothing readable' ? 'registry_throttled' : 'policy_denied'
    expect(verdict.code).toBe(expected === 'deny' ? code : undefined)
  })
})

describe('what cannot be told', () => {
  const parts = { identities: { alice: { keys: [alice.pem] } }, require: [{ name: 'signed', signature: { by: 'alice' } }] }
  const unreadable = [{ code: 'registry_unreachable', detail: 'down' } as const]

  it('is not asked when the rule is satisfied anyway', async () => {
    expect(recorded(await compiled(parts), [await proven(alice.signer)], { unreadable }).decision).toBe('allow')
  })

  it('never allows, and carries the code of why', async () => {
    expect(recorded(await compiled(parts), [], { unreadable })).toMatchObject({ decision: 'deny', code: 'registry_unreachable' })
  })

  it('is said of a refusal that could not tell either', async () => {
    const refusals = [{ source: 'x', refusal: { code: 'trust_stale', detail: 'old' } as const }]
    expect(recorded(await compiled(parts), [], { refusals })).toMatchObject({ decision: 'deny', code: 'trust_stale' })
  })

  it('yields to a rule that is denied whatever else is found', async () => {
    const both = { ...parts, require: [...parts.require, { name: 'platforms', platforms: ['linux/arm64'] }] }
    const artifact = { ...image, platforms: ['linux/amd64'] }
    expect(recorded(await compiled(both), [], { unreadable, artifact })).toMatchObject({ decision: 'deny', code: 'policy_denied' })
  })

  it('yields to what was proven altered', async () => {
    const refusals = [{ source: 'x', refusal: { code: 'bundle_altered', detail: '' } as const }]
    expect(recorded(await compiled(parts), [], { refusals })).toMatchObject({ decision: 'deny', code: 'bundle_altered' })
  })
})

describe('evidence', () => {
  const parts = { identities: { alice: { keys: [alice.pem] } }, require: [{ name: 'signed', signature: { by: 'alice' } }] }

  it('attack: of another artifact does not count', async () => {
    const other = await proven(alice.signer, { artifact: sha256(utf8('other')) })
    expect(recorded(await compiled(parts), [other]).decision).toBe('deny')
  })

  it('attack: proven under a waiver does not count', async () => {
    expect(recorded(await compiled(parts), [await proven(alice.signer, { waived: true })]).decision).toBe('deny')
  })

  it('attack: an attestation is no signature, and a signature no attestation', async () => {
    const attested = await compiled({ ...parts, require: [{ name: 'sbom', attestation: { type: 'spdxjson', by: 'alice' } }] })
    expect(recorded(await compiled(parts), [await proven(alice.signer, { type: sbom })]).decision).toBe('deny')
    expect(recorded(attested, [await proven(alice.signer)]).decision).toBe('deny')
    expect(recorded(attested, [await proven(alice.signer, { type: sbom })]).decision).toBe('allow')
  })

  it('attack: a condition reads no attestation of an unverified signer', async () => {
    const policy = await compiled({
      ...parts,
      require: [{ name: 'sbom', attestation: { type: sbom, by: 'alice', condition: 'predicate.ok' } }],
    })
    const verdict = recorded(policy, [await proven(bob.signer, { type: sbom, predicate: { ok: true } })])
    expect(verdict).toMatchObject({
      decision: 'deny',
      rules: [{ outcome: 'missing', looked: [{ status: 'does_not_count', detail: 'by nobody whom the rule names' }] }],
    })
  })

  it('attack: what strangers add changes no verdict', async () => {
    const policy = await compiled({ ...parts, require: [{ name: 'sbom', attestation: { type: sbom, by: 'alice' }, onMissing: 'allow' }] })
    expect(recorded(policy, []).decision).toBe('allow')
    expect(recorded(policy, [await proven(bob.signer, { type: sbom })]).decision).toBe('allow')
  })

  it('of a certificate is matched by issuer, subject and every extension', async () => {
    const ci = { issuer: 'https://issuer.example', subject: { pattern: 'ci@.*' }, extensions: { runnerEnvironment: 'github-hosted' } }
    const policy = await compiled({ identities: { ci: { certificate: ci } }, require: [{ name: 'signed', signature: { by: 'ci' } }] })
    const by = async (...names: Parameters<typeof certified>): Promise<string> =>
      recorded(policy, [await proven(certified(...names))]).decision
    expect(await by('ci@x', 'https://issuer.example', { '11': 'github-hosted' })).toBe('allow')
    expect(await by('ci@x', 'https://issuer.example', { '11': 'self-hosted' })).toBe('deny')
    expect(await by('ci@x', 'https://issuer.example')).toBe('deny')
    expect(await by('ci@x', 'https://issuer.example.evil', { '11': 'github-hosted' })).toBe('deny')
    expect(await by('not-ci@x', 'https://issuer.example', { '11': 'github-hosted' })).toBe('deny')
  })
})

describe('time', () => {
  const rule = (time: { readonly [name: string]: JsonValue }): JsonValue => [{ name: 'signed', signature: { by: 'alice', ...time } }]
  const identities = { alice: { keys: [alice.pem] } }

  it.each([
    ['time: required, none', { time: 'required' }, {}, 'deny'],
    ['time: required, one', { time: 'required' }, { signedMs: daysAgo(1) }, 'allow'],
    ['logged, not in a log', { logged: true }, { signedMs: daysAgo(1) }, 'deny'],
    ['logged, in a log', { logged: true }, { logged: true }, 'allow'],
    ['maxAge 24h, an hour more', { maxAge: '24h' }, { signedMs: daysAgo(1) - 3_600_000 }, 'deny'],
    ['maxAge 24h, exactly', { maxAge: '24h' }, { signedMs: daysAgo(1) }, 'allow'],
    ['maxAge 24h, no time', { maxAge: '24h' }, {}, 'deny'],
    ['before, earlier', { before: formatTime(daysAgo(5)) }, { signedMs: daysAgo(6) }, 'allow'],
    ['before, at the moment', { before: formatTime(daysAgo(5)) }, { signedMs: daysAgo(5) }, 'deny'],
    ['after, earlier', { after: formatTime(daysAgo(5)) }, { signedMs: daysAgo(6) }, 'deny'],
    ['after, later', { after: formatTime(daysAgo(5)) }, { signedMs: daysAgo(4) }, 'allow'],
  ] as const)('%s', async (_name, demand, wishes, decision) => {
    const policy = await compiled({ identities, require: rule(demand) })
    expect(recorded(policy, [await proven(alice.signer, wishes)]).decision).toBe(decision)
  })

  it('of two keys with overlapping windows each counts in its own', async () => {
    const keys = [
      { pem: alice.pem, validUntil: formatTime(daysAgo(5)) },
      { pem: bob.pem, validFrom: formatTime(daysAgo(10)) },
    ]
    const policy = await compiled({ identities: { release: { keys } }, require: [{ name: 'signed', signature: { by: 'release' } }] })
    const at = async (who: typeof alice, days: number): Promise<string> =>
      recorded(policy, [await proven(who.signer, { signedMs: daysAgo(days) })]).decision
    expect([await at(alice, 11), await at(alice, 7), await at(alice, 4)]).toEqual(['allow', 'allow', 'deny'])
    expect([await at(bob, 11), await at(bob, 7), await at(bob, 4)]).toEqual(['deny', 'allow', 'allow'])
  })

  it('newest: an older attestation that was better does not count any more', async () => {
    const scan = (ok: boolean, days: number): Promise<ProvenItem> =>
      proven(alice.signer, { type: 'https://x/scan', predicate: { ok }, signedMs: daysAgo(days) })
    const attestation = { type: 'https://x/scan', by: 'alice', condition: 'predicate.ok' }
    const [good, bad] = [await scan(true, 3), await scan(false, 2)]
    const any = await compiled({ identities, require: [{ name: 'scan', attestation }] })
    const newest = await compiled({ identities, require: [{ name: 'scan', attestation: { ...attestation, newest: true } }] })
    expect([recorded(any, [good, bad]).decision, recorded(newest, [good, bad]).decision, recorded(newest, [good]).decision]).toEqual([
      'allow',
      'deny',
      'allow',
    ])
    expect(recorded(newest, [await proven(alice.signer, { type: 'https://x/scan', predicate: { ok: true } })]).decision).toBe('deny')
  })
})

describe('which artifacts a policy speaks of', () => {
  const base = { identities: { alice: { keys: [alice.pem] } }, require: [{ name: 'signed', signature: { by: 'alice' } }] }

  it('denies what it does not speak of, unless it says otherwise', async () => {
    for (const [unmatched, decision] of [
      [undefined, 'deny'],
      ['warn', 'warn'],
      ['allow', 'allow'],
    ] as const) {
      const match = { images: ['other.example/**'], ...(unmatched === undefined ? {} : { unmatched }) }
      const verdict = recorded(await compiled({ ...base, match }), [await proven(alice.signer)])
      expect(verdict).toMatchObject({ decision, matched: false })
    }
  })

  it('treats an artifact to which no rule applies as one that it does not speak of: nothing was shown', async () => {
    const policy = await compiled({
      ...base,
      require: [{ name: 'signed', match: { images: ['registry.example/other/*'] }, signature: { by: 'alice' } }],
    })
    expect(recorded(policy, [await proven(alice.signer)]).decision).toBe('deny')
  })

  it('looks for platforms, and could not tell where nobody looked at the index', async () => {
    const policy = await compiled({ ...base, require: [{ name: 'platforms', platforms: ['linux/amd64', 'linux/arm64'] }] })
    const decide = (platforms?: readonly string[]): unknown => {
      const { decision, code } = recorded(policy, [], { artifact: platforms === undefined ? image : { ...image, platforms } })
      return code ?? decision
    }
    expect(decide(['linux/arm64', 'linux/amd64'])).toBe('allow')
    expect(decide(['linux/arm64'])).toBe('policy_denied')
    expect(decide()).toBe('policy_input_missing')
    expect(decide(['linux/arm64/v8', 'linux/amd64'])).toBe('allow')
  })
})

describe('over random policies and evidence', () => {
  it('order and duplicates change nothing, and a signature more never turns allow into deny', async () => {
    const policy = await compiled({
      identities: { alice: { keys: [{ pem: alice.pem, validFrom: formatTime(daysAgo(20)) }] }, bob: { keys: [bob.pem] } },
      revocations: [{ name: 'list', keys: [board.pem] }],
      require: [
        { name: 'signed', signature: { by: { threshold: 1, of: ['alice', 'bob'] } } },
        {
          name: 'sbom',
          attestation: { type: sbom, by: 'alice', condition: 'predicate.ok', maxAge: '15d' },
          onMissing: 'warn',
          onFail: 'warn',
        },
      ],
    })
    const pool = await Promise.all(
      [alice, bob].flatMap(({ signer }) =>
        [undefined, 1, 5, 16, 30].flatMap((days) => [
          proven(signer, { signedMs: days === undefined ? undefined : daysAgo(days) }),
          proven(signer, {
            type: sbom,
            predicate: { ok: (days ?? 0) % 2 === 1 },
            signedMs: days === undefined ? undefined : daysAgo(days),
          }),
        ]),
      ),
    )
    const entries = [alice, bob].map(
      ({ signer }) =>
        ({ target: { kind: 'key', fingerprint: signer.fingerprint }, effectiveMs: daysAgo(3), severity: 'deny', reason: 'x' }) as const,
    )
    const order = { allow: 0, warn: 1, deny: 2 }
    fc.assert(
      fc.property(fc.subarray(pool), fc.constantFrom(...pool), fc.subarray(entries), (evidence, extra, revoked) => {
        const revocations = listOf(revoked)
        const before = judge(policy, evidence, { revocations })
        expect(judge(policy, [...evidence.toReversed(), ...evidence], { revocations })).toEqual(before)
        expect(order[judge(policy, [...evidence, extra], { revocations }).decision]).toBeLessThanOrEqual(order[before.decision])
        // A revocation more never turns deny into allow.
        expect(order[judge(policy, evidence, { revocations: listOf(entries) }).decision]).toBeGreaterThanOrEqual(order[before.decision])
      }),
      { numRuns: 300 },
    )
  })
})
