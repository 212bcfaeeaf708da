import { array, assert, asyncProperty, boolean, constantFrom, letrec, nat, oneof, record, subarray } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject, JsonValue } from '../../src/json/parse.ts'
import { exportPolicy } from '../../src/policy-exchange/export.ts'
import { type ForeignKind, importPolicies } from '../../src/policy-exchange/import.ts'
import { compilePolicy, type CompiledPolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import type { ProvenItem } from '../../src/policy/proven.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { certified, digest, documentOf, judge, proven, somebody } from '../policy/fixture.ts'
import { imageOf } from './exchange.ts'

const people = { alice: await somebody('alice'), bob: await somebody('bob'), carol: await somebody('carol'), dave: await somebody('dave') }
const issuer = 'https://i.example'
const type = 'https://slsa.dev/provenance/v1'
const identities: JsonObject = {
  ...Object.fromEntries(Object.entries(people).map(([name, { pem }]) => [name, { keys: [pem] }])),
  both: { keys: [(await somebody('x')).pem, (await somebody('y')).pem] },
  ci: { certificate: { issuer, subject: 'https://ci.example/a' } },
  mail: { certificate: { issuer, subject: 'dev@acme.example' } },
  open: { certificate: { issuer, subject: { glob: 'https://open.example/*/**' } } },
}

const documents = ['kyverno', 'kyverno-ivp', 'cluster-image-policy', 'containers-policy'] as const

async function compiledOf(document: JsonValue): Promise<CompiledPolicy> {
  return compilePolicy(parsePolicy(document), { primitives: nodePrimitives })
}

/** Every combination of a few signatures, for a few images. */
const table: readonly (readonly ProvenItem[])[] = await (async () => {
  const signers = [
    people.alice.signer,
    people.bob.signer,
    people.carol.signer,
    certified('https://ci.example/a', issuer),
    certified('https://open.example/x/y/z', issuer),
  ]
  const rows: ProvenItem[][] = [[]]
  for (const signer of signers) {
    const logged = signer.kind === 'certificate'
    const name = 'registry.example/team/app'
    const items = [
      await proven(signer, { logged: true, terms: { name } }),
      await proven(signer, { logged, terms: { name } }),
      await proven(signer, { logged: true, type, predicate: { level: 3 } }),
    ]
    rows.push(
      ...rows.flatMap((row) => [
        [...row, items[0] as ProvenItem],
        [...row, ...items.slice(0, 1), items[2] as ProvenItem],
        [...row, items[1] as ProvenItem],
      ]),
    )
  }
  return rows
})()
/** A third of it, for what is asked often. */
const third = table.filter((_row, index) => index % 3 === 0)

const images = ['registry.example/team/app:1', 'registry.example/team/deep/app:2', 'registry.example/other:1', 'other.example/team/app:1']

function verdicts(policy: CompiledPolicy, rows: readonly (readonly ProvenItem[])[]): string {
  return images
    .map((image) => rows.map((row) => judge(policy, row, { artifact: { ...imageOf(image), digests: [digest] } }).decision[0]).join(''))
    .join(' ')
}

async function roundTrip(document: JsonValue, kind: ForeignKind) {
  const ours = await compiledOf(document)
  const { content, losses } = exportPolicy(ours, kind)
  const lost = losses.filter(({ effect }) => effect !== 'none')
  if (lost.length > 0 || content.form === 'shell') return { ours, lost }
  const imported = await importPolicies(content.documents, { name: 'again' })
  return { ours, lost, imported }
}

describe('a policy that is exported and imported again', () => {
  const rule = (by: JsonValue, more: JsonObject = {}): JsonObject => ({ name: 'signed', signature: { by, boundName: 'required', ...more } })
  const plain = (by: JsonValue, more: JsonObject = {}): JsonObject => ({ name: 'signed', signature: { by, ...more } })
  const everything = { images: ['registry.example/team/**'] }
  const below = { images: ['registry.example/team', 'registry.example/team/**'] }
  const cases: readonly [string, ForeignKind[], JsonObject][] = [
    ['of one key', ['kyverno', 'kyverno-ivp', 'cluster-image-policy'], { match: everything, require: [plain('alice')] }],
    [
      'of one key, logged',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain('alice', { logged: true })] },
    ],
    [
      'of an identity with two keys',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain({ allOf: ['both', 'alice'] })] },
    ],
    [
      'of two of three',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain({ threshold: 2, of: ['alice', 'bob', 'carol'] })] },
    ],
    [
      'of groups in a group',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain({ threshold: 2, of: ['ci', { anyOf: ['alice', 'bob'] }, { allOf: ['carol', 'dave'] }] })] },
    ],
    ['of a certificate', ['kyverno', 'kyverno-ivp', 'cluster-image-policy'], { match: everything, require: [plain('ci')] }],
    [
      'of a glob of names',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain({ anyOf: ['open', 'alice'] }, { logged: true })] },
    ],
    [
      'that lets others through',
      ['kyverno', 'cluster-image-policy'],
      { match: { ...everything, unmatched: 'allow' }, require: [plain('alice')] },
    ],
    [
      'that warns of others',
      ['kyverno', 'cluster-image-policy'],
      { match: { ...everything, unmatched: 'warn' }, require: [plain('alice')] },
    ],
    [
      'of two rules, one a warning',
      ['kyverno', 'kyverno-ivp', 'cluster-image-policy'],
      { match: everything, require: [plain('alice'), { ...plain('bob'), name: 'second', onMissing: 'warn', onFail: 'warn' }] },
    ],
    [
      'of attestations with conditions',
      ['kyverno', 'kyverno-ivp'],
      {
        match: everything,
        require: [
          { name: 'a', attestation: { type, by: 'alice', condition: 'predicate.level == 3' } },
          { name: 'b', attestation: { type, by: 'bob', condition: 'predicate.level == 2' } },
        ],
      },
    ],
    [
      'of attestations with any condition',
      ['kyverno-ivp'],
      {
        match: everything,
        require: [
          { name: 'a', attestation: { type, by: 'alice', condition: '[1, 2].exists(x, predicate.level > x) && "predicate" != ""' } },
        ],
      },
    ],
    [
      'of requirements for scopes',
      ['containers-policy'],
      { match: below, require: [rule({ threshold: 2, of: ['alice', 'bob', 'carol'] })] },
    ],
    [
      'of a requirement for everything',
      ['containers-policy'],
      { match: { images: ['**'] }, require: [rule({ anyOf: ['alice', 'both'] })] },
    ],
  ]

  it.each(cases.flatMap(([name, kinds, parts]) => kinds.map((kind) => [name, kind, parts] as const)))(
    '%s judges the same as before: %s',
    async (_name, kind, parts) => {
      const named = JSON.stringify(parts)
      const used = Object.fromEntries(Object.entries(identities).filter(([name]) => named.includes(`"${name}"`)))
      const { ours, lost, imported } = await roundTrip(documentOf({ identities: used, ...parts }), kind)
      expect(lost).toEqual([])
      expect(imported?.losses.filter(({ effect }) => effect === 'weaker')).toEqual([])
      expect(verdicts(await compiledOf(imported?.policy ?? null), third)).toBe(verdicts(ours, third))
    },
  )

  const party = letrec<{ party: JsonValue }>((tie) => ({
    party: oneof(
      { maxDepth: 2, depthSize: 'small', withCrossShrink: true },
      constantFrom('alice', 'bob', 'carol', 'dave', 'ci', 'open'),
      record({ of: array(tie('party'), { minLength: 1, maxLength: 3 }), pick: nat(2) }).map(({ of, pick }) => ({
        threshold: (pick % of.length) + 1,
        of,
      })),
    ),
  })).party
  const anyRule = record({
    by: party,
    logged: boolean(),
    bound: boolean(),
    decision: constantFrom('deny', 'warn'),
    attested: boolean(),
  })
  const anyPolicy = record({
    images: subarray(
      ['registry.example/team/**', 'registry.example/team', 'registry.example/**', 'registry.example/*', '**', 'registry.example/team/app'],
      { minLength: 1 },
    ),
    unmatched: constantFrom('deny', 'warn', 'allow'),
    rules: array(anyRule, { minLength: 1, maxLength: 3 }),
  })

  it('judges a table of evidence the same wherever nothing was said to be lost', async () => {
    let compared = 0
    const some = table.filter((_row, index) => index % 13 === 0)
    await assert(
      asyncProperty(anyPolicy, constantFrom(...documents), async ({ images: globs, unmatched, rules }, kind) => {
        const require = rules.map(({ by, logged, bound, decision, attested }, index) => ({
          name: `r${index}`,
          ...(attested
            ? { attestation: { type, by, logged } }
            : { signature: { by, logged, ...(bound ? { boundName: 'required' } : {}) } }),
          onMissing: decision,
          onFail: decision,
        }))
        const { ours, lost, imported } = await roundTrip(documentOf({ match: { images: globs, unmatched }, identities, require }), kind)
        if (lost.length > 0 || imported === undefined) return
        compared += 1
        expect(verdicts(await compiledOf(imported.policy), some)).toBe(verdicts(ours, some))
      }),
      { numRuns: 200 },
    )
    expect(compared).toBeGreaterThan(5)
  })

  it('accepts no more than before wherever nothing was said to be weaker, whatever else is lost', async () => {
    let compared = 0
    const some = table.filter((_row, index) => index % 11 === 0)
    await assert(
      asyncProperty(anyPolicy, constantFrom(...documents), async ({ images: globs, unmatched, rules }, kind) => {
        const require = rules.map(({ by, logged, decision }, index) => ({
          name: `r${index}`,
          signature: { by, logged },
          onMissing: decision,
          onFail: decision,
        }))
        const ours = await compiledOf(documentOf({ match: { images: globs, unmatched }, identities, require }))
        const { content, losses } = exportPolicy(ours, kind)
        if (losses.some(({ effect }) => effect === 'weaker') || content.form === 'shell') return
        let policy: JsonObject
        try {
          policy = (await importPolicies(content.documents, { name: 'again' })).policy
        } catch {
          // Nothing in it demands a signature: it accepts nothing, or what was not refused before.
          return
        }
        const theirs = await compiledOf(policy)
        const artifacts = images.map((image) => ({ ...imageOf(image), digests: [digest] }))
        const pairs = artifacts.flatMap((artifact) => some.map((row) => ({ artifact, row })))
        const refused = pairs.filter(({ artifact, row }) => judge(ours, row, { artifact }).decision === 'deny')
        expect(refused.filter(({ artifact, row }) => judge(theirs, row, { artifact }).decision !== 'deny')).toEqual([])
        compared += 1
      }),
      { numRuns: 120 },
    )
    expect(compared).toBeGreaterThan(5)
  })
})
