import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { CountersignError } from '../../src/failure.ts'
import { compareVerdict, coverageOf } from '../../src/policy-cases/compare.ts'
import { parseCases } from '../../src/policy-cases/document.ts'
import { caseInput } from '../../src/policy-cases/evidence.ts'
import { evaluatePolicy } from '../../src/policy/evaluate.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { compiled, daysAgo, now, somebody } from '../policy/fixture.ts'
import { accepts, type Schema, variations } from '../policy/schema.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const policy = await compiled({
  identities: {
    alice: { keys: [alice.pem] },
    bob: { keys: [bob.pem, { pem: (await somebody('bob')).pem, validUntil: formatTime(daysAgo(10)) }] },
    ci: {
      certificate: { issuer: 'https://i', subject: { glob: 'https://repo/*/app@*' }, extensions: { runnerEnvironment: 'github-hosted' } },
    },
    any: { certificate: { issuer: 'https://i', subject: { pattern: 'x+' } } },
  },
  revocations: [{ name: 'acme', keys: [board.pem] }],
  require: [
    { name: 'signed', signature: { by: { allOf: ['alice', 'bob'] } } },
    { name: 'built', attestation: { type: 'slsaprovenance1', by: 'ci', condition: 'predicate.level > 1', logged: true } },
  ],
})
const image = { image: 'registry.example/team/app:1.0' }
const good: JsonValue[] = [
  { signedBy: 'alice' },
  { signedBy: 'bob' },
  { signedBy: 'ci', attestation: 'slsaprovenance1', predicate: { level: 2 }, logged: true },
]

function documentOf(one: { readonly [name: string]: JsonValue }): JsonValue {
  return { apiVersion: 'countersign.dev/v1', kind: 'PolicyCases', cases: [{ name: 'case', ...image, expect: 'allow', ...one }] }
}

async function judge(one: { readonly [name: string]: JsonValue }): Promise<Verdict> {
  const [only] = parseCases(documentOf(one), now).cases
  if (only === undefined) throw new CountersignError('internal', 'no case')
  const readPredicate = (path: string): Promise<JsonValue> => Promise.resolve({ level: path === 'three.json' ? 3 : 0 })
  return evaluatePolicy(policy, await caseInput(only, { compiled: policy, primitives: nodePrimitives, nowMs: now, readPredicate }))
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'nothing refused'
  } catch (cause) {
    return cause instanceof CountersignError ? `${cause.code} ${cause.message}` : String(cause)
  }
}

describe('the evidence of a case', () => {
  it.each<[string, { readonly [name: string]: JsonValue }, string]>([
    ['counts as if it had been proven', { evidence: good }, 'allow satisfied satisfied'],
    ['is nothing where nothing is said', {}, 'deny missing missing'],
    ['of an outsider does not count', { evidence: [{ signedBy: { outsider: 'mallory' } }, ...good.slice(1)] }, 'deny failed satisfied'],
    [
      'of another artifact does not count',
      { evidence: [{ signedBy: 'alice', ofOtherArtifact: true }, ...good.slice(1)] },
      'deny failed satisfied',
    ],
    [
      'that verification refused does not count',
      { evidence: [{ signedBy: 'alice', refused: 'bundle_altered' }, ...good.slice(1)] },
      'deny failed satisfied bundle_altered',
    ],
    [
      'without a log entry is not logged',
      { evidence: [...good.slice(0, 2), { ...(good[2] as object), logged: false }] },
      'deny satisfied failed',
    ],
    [
      'may have its predicate in a file',
      { evidence: [...good.slice(0, 2), { ...(good[2] as object), predicate: 'three.json' }] },
      'allow satisfied satisfied',
    ],
    [
      'may be by the second key of an identity',
      { evidence: [good[0] ?? null, { signedBy: { identity: 'bob', key: 1 }, age: '20d' }, good[2] ?? null] },
      'allow satisfied satisfied',
    ],
    [
      'outside of the window of a key does not count',
      { evidence: [good[0] ?? null, { signedBy: { identity: 'bob', key: 1 }, age: '2d' }, good[2] ?? null] },
      'deny failed satisfied',
    ],
    [
      'may be of a certificate with the names that are given',
      {
        evidence: [
          ...good.slice(0, 2),
          {
            signedBy: {
              certificate: { issuer: 'https://i', subject: 'https://repo/a/app@b', extensions: { runnerEnvironment: 'github-hosted' } },
            },
            attestation: 'slsaprovenance1',
            predicate: { level: 9 },
            logged: true,
          },
        ],
      },
      'allow satisfied satisfied',
    ],
    [
      'of an identity that is revoked does not count',
      { evidence: good, revocations: { acme: { entries: [{ target: { identity: 'bob' }, reason: 'stolen' }] } } },
      'deny failed satisfied',
    ],
    [
      'is judged without the list that is missing',
      { evidence: good, revocations: { acme: 'missing' } },
      'deny satisfied satisfied revocation_list_missing',
    ],
    [
      'is judged with a list that has expired',
      { evidence: good, revocations: { acme: { expired: true } } },
      'deny satisfied satisfied revocation_list_expired',
    ],
    [
      'may be what could be read only',
      { evidence: [good[0] ?? null], unreadable: ['registry_throttled'] },
      'deny could_not_tell could_not_tell registry_throttled',
    ],
  ])('%s', async (_what, one, expected) => {
    const { decision, rules, code } = await judge(one)
    const shown = [decision, ...rules.map(({ outcome }) => outcome), ...(code === undefined || code === 'policy_denied' ? [] : [code])]
    expect(shown.join(' ')).toBe(expected)
  })
})

describe('a document of cases', () => {
  it.each<[string, { readonly [name: string]: JsonValue }, string]>([
    ['an unknown field', { expected: 'allow' }, 'policy_malformed $.cases[0]: unknown field "expected"'],
    ['a case without expectation', { expect: null }, 'policy_malformed $.cases[0].expect: '],
    ['two artifacts', { file: 'a' }, 'policy_malformed $.cases[0]: expected one of image, file and verify'],
    [
      'no identity',
      { evidence: [{ signedBy: 'eve' }] },
      'policy_malformed $.cases[0].evidence[0].signedBy: policy policy has no identity eve',
    ],
    [
      'no such key',
      { evidence: [{ signedBy: { identity: 'alice', key: 7 } }] },
      'policy_malformed $.cases[0].evidence[0].signedBy: identity alice has 1 keys',
    ],
    [
      'a name that a pattern leaves open',
      { evidence: [{ signedBy: 'any' }] },
      'policy_malformed $.cases[0].evidence[0].signedBy: identity any has a pattern',
    ],
    ['no such list', { revocations: { other: 'missing' } }, 'policy_malformed $.cases[0].revocations: the policy listens to no list other'],
    [
      'a predicate without attestation',
      { evidence: [{ signedBy: 'alice', predicate: {} }] },
      'policy_malformed $.cases[0].evidence[0].predicate: only an attestation',
    ],
    ['a code that does not exist', { unreadable: ['gone'] }, 'policy_malformed $.cases[0].unreadable[0]: no code of a failure'],
    [
      'evidence beside what is really verified',
      { image: null, verify: 'oci:x', evidence: [] },
      'policy_malformed $.cases[0].evidence: what is really verified',
    ],
  ])('is refused with %s', async (_what, one, expected) => {
    expect((await refusal(() => judge(one))).slice(0, expected.length)).toBe(expected)
  })
})

describe('the comparison', () => {
  it('names what differs: decision, code, outcome of a rule, and a reason that was not given', async () => {
    const verdict = await judge({ evidence: good.slice(0, 1) })
    const expected = {
      decision: 'allow',
      code: 'bundle_altered',
      rules: new Map<string, 'satisfied' | 'failed'>([
        ['signed', 'satisfied'],
        ['gone', 'failed'],
      ]),
      reason: 'revoked',
    } as const
    expect(compareVerdict(verdict, expected).map(({ what }) => what)).toEqual(['decision', 'code', 'rule signed', 'rule gone', 'reason'])
    const right = { decision: 'deny', rules: new Map<string, 'failed'>([['signed', 'failed']]), reason: '1 of 2' } as const
    expect(compareVerdict(verdict, right)).toEqual([])
  })

  it('says which rules no case satisfied and which none made refuse', async () => {
    const allowed = await judge({ evidence: good })
    const denied = await judge({ evidence: good.slice(0, 2) })
    expect(coverageOf(policy.policy.rules, [allowed])).toEqual([
      { rule: 'signed', satisfied: true, refused: false },
      { rule: 'built', satisfied: true, refused: false },
    ])
    expect(coverageOf(policy.policy.rules, [denied])).toEqual([
      { rule: 'signed', satisfied: true, refused: false },
      { rule: 'built', satisfied: false, refused: true },
    ])
  })
})

describe('docs/schema/policy-cases.schema.json', () => {
  const schema = JSON.parse(readFileSync(new URL('../../../../docs/schema/policy-cases.schema.json', import.meta.url), 'utf8')) as Schema
  /** What a schema cannot say. */
  const beyond =
    /really verified|has no platforms|two times|only an attestation|not a predicate type|no code of a failure|not a time|not an image reference|belongs to/

  it('and the parser agree on a whole document, and on every field that is taken away or misspelt', () => {
    const evidence = [
      {
        signedBy: 'alice',
        at: '2026-01-01T00:00:00Z',
        logged: true,
        annotations: { a: 'b' },
        expires: '2027-01-01T00:00:00Z',
        boundName: 'r.example/x',
      },
      {
        signedBy: { identity: 'bob', key: 1 },
        age: '3h',
        attestation: 'spdx',
        predicate: { a: 1 },
        refused: 'bundle_altered',
        ofOtherArtifact: true,
      },
      { signedBy: { certificate: { issuer: 'i', subject: 's', extensions: { buildTrigger: 'push' } } } },
      { signedBy: { outsider: 'eve' } },
    ]
    const expect_ = { decision: 'warn', code: 'policy_denied', reason: 'x', rules: { signed: 'failed' } }
    const whole: JsonValue = {
      apiVersion: 'countersign.dev/v1',
      kind: 'PolicyCases',
      policy: 'policy.yaml',
      keys: ['a.pub'],
      now: '2026-01-01T00:00:00Z',
      cases: [
        {
          name: 'a',
          image: 'r.example/x:1',
          digest: `sha256:${'0'.repeat(64)}`,
          mediaType: 'x/y',
          platforms: ['linux/amd64'],
          evidence,
          expect: 'allow',
        },
        {
          name: 'b',
          file: 'x',
          unreadable: ['registry_throttled'],
          revocations: { l: 'missing', m: { version: 1, expired: true, entries: [] } },
          expect: expect_,
        },
        { name: 'c', verify: 'oci:x:1', now: '2026-01-01T00:00:00Z', expect: 'deny' },
        { name: 'd', verify: { file: 'x', bundles: ['y'] }, expect: 'deny' },
      ],
    }
    const failureOf = (value: JsonValue): string | undefined => {
      try {
        parseCases(value, now)
        return undefined
      } catch (cause) {
        return cause instanceof CountersignError ? cause.message : String(cause)
      }
    }
    expect([accepts(schema, whole), failureOf(whole)]).toEqual([true, undefined])
    for (const changed of variations(whole)) {
      const failure = failureOf(changed)
      if (failure !== undefined && beyond.test(failure)) continue
      expect([JSON.stringify(changed), accepts(schema, changed)]).toEqual([JSON.stringify(changed), failure === undefined])
    }
  })
})
