import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import type { PolicyArtifact } from '../../src/policy/match.ts'
import { nameProblem } from '../../src/policy/mirrors.ts'
import type { PolicyIdentity } from '../../src/policy/model.ts'
import { compileName, isOpen } from '../../src/policy/name-match.ts'
import { distinctItems, readProven, signerText, type ProvenItem } from '../../src/policy/proven.ts'
import { formatTime } from '../../src/trust/time-range.ts'
import type { Evidence, SignerEvidence } from '../../src/verify/evidence.ts'
import type { NameMatch } from '../../src/verify/policy.ts'
import { utf8 } from '../../src/bytes.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { told } from '../told.ts'
import { certified, compiled, daysAgo, digest, documentOf, image, now, proven, recorded, sha256, somebody } from './fixture.ts'

type Parts = { readonly [name: string]: JsonValue }

const [alice, bob] = [await somebody('alice'), await somebody('bob')]
const identities = { alice: { keys: [alice.pem] }, bob: { keys: [bob.pem] } }
const exact = (value: string): NameMatch => ({ kind: 'exact', value })
const glob = (value: string): NameMatch => ({ kind: 'glob', value })

describe('attack: a name of the length of a mirrored one', () => {
  const mirrors = [
    { from: 'registry.example/team/', to: 'mirror.internal/copies/' },
    { from: 'registry.example/single', to: 'mirror.internal/other' },
  ]
  const usedAs = (name: string): PolicyArtifact => ({ ...image, reference: parseReference(name) })

  it.each([
    ['registry.example/team/app', 'mirror.internal/copies/app:1', true],
    ['registry.example/evil/app', 'mirror.internal/copies/app:1', false],
    ['registry.example/team', 'mirror.internal/copies/x:1', false],
    ['registry.example/single', 'mirror.internal/other:1', true],
    ['registry.example/single2', 'mirror.internal/other:1', false],
    ['anything.example/else', 'mirror.internal/other:1', false],
  ])('%s used as %s: %s', (signed, used, holds) => {
    expect(nameProblem(signed, usedAs(used), mirrors) === undefined).toBe(holds)
  })

  it('says why', () => {
    expect([
      nameProblem(undefined, image, mirrors),
      nameProblem('registry.example/x', image, mirrors),
      nameProblem('registry.example/x', { kind: 'file', path: 'a', digests: [digest] }, mirrors),
      nameProblem('registry.example/x', usedAs('oci:folder:1'), mirrors),
    ]).toEqual([
      'it is not bound to a name',
      'it is bound to another name: expected registry.example/team/app, found registry.example/x',
      'it is bound to registry.example/x, and what is judged has no name in a registry',
      'it is bound to registry.example/x, and what is judged has no name in a registry',
    ])
  })
})

describe('an identity can stand for several signers', () => {
  const fulcio = (issuer: NameMatch, subject: NameMatch): PolicyIdentity['signer'] => ({
    kind: 'certificate',
    issuer,
    subject,
    extensions: new Map(),
  })
  const own = (names: { subject?: NameMatch; commonName?: NameMatch; issuer?: NameMatch }): PolicyIdentity['signer'] => ({
    kind: 'x509',
    roots: [],
    intermediates: [],
    purpose: '1.3.6.1.5.5.7.3.3',
    ...names,
  })

  it.each<[string, PolicyIdentity['signer'], boolean]>([
    ['keys', { kind: 'keys', keys: [] }, false],
    ['two exact names', fulcio(exact('i'), exact('s')), false],
    ['an open subject', fulcio(exact('i'), glob('s*')), true],
    ['an open issuer', fulcio({ kind: 'pattern', value: 'i.*' }, exact('s')), true],
    ['an exact subject of an authority', own({ subject: exact('s') }), false],
    ['an exact common name', own({ commonName: exact('c') }), false],
    ['an exact common name beside an open subject', own({ subject: glob('s*'), commonName: exact('c') }), false],
    ['an exact subject beside an open common name', own({ subject: exact('s'), commonName: glob('c*') }), false],
    ['both open', own({ subject: glob('s*'), commonName: glob('c*') }), true],
    ['an exact issuer alone', own({ issuer: exact('CN=x') }), true],
  ])('by %s: %#', (_what, signer, open) => {
    expect(isOpen(signer)).toBe(open)
  })
})

describe('a name of a policy', () => {
  it('is compared exactly, as a glob, or as a whole pattern', async () => {
    const accepts = async (match: NameMatch, names: readonly string[]): Promise<readonly boolean[]> =>
      names.map(await compileName(match, '$'))
    expect(await accepts(exact('a'), ['a', 'A', 'aa', ''])).toEqual([true, false, false, false])
    expect(await accepts(glob('a*'), ['a', 'ab', 'a/b', 'ba'])).toEqual([true, true, false, false])
    expect(await accepts({ kind: 'pattern', value: 'a|b' }, ['a', 'b', 'ab', 'ax', 'xb'])).toEqual([true, true, false, false, false])
  })

  it('attack: an exact name with stars in it stands for nobody else', async () => {
    const accepts = await compileName(exact('*@example.com'), '$')
    expect(['*@example.com', 'eve@example.com', '@example.com'].map(accepts)).toEqual([true, false, false])
  })

  it('is no pattern beyond 1,024 characters, and none that is not RE2, with the cause', async () => {
    expect((await compileName({ kind: 'pattern', value: 'a'.repeat(1024) }, '$'))('a'.repeat(1024))).toBe(true)
    await expect(compileName({ kind: 'pattern', value: 'a'.repeat(1025) }, '$.here')).rejects.toMatchObject({
      code: 'policy_malformed',
      message: '$.here: a pattern of 1025 characters',
    })
    await expect(compileName({ kind: 'pattern', value: '('.repeat(200) }, '$.here')).rejects.toMatchObject({
      code: 'policy_malformed',
      message: `$.here: not a pattern of RE2: "${'('.repeat(100)}"`,
      cause: expect.objectContaining({ message: expect.any(String) as string }) as unknown,
    })
  })
})

describe('what a condition sees of an artifact', () => {
  const holds = async (condition: string, artifact: PolicyArtifact): Promise<string> => {
    const policy = await compiled({
      match: { images: ['**'], files: ['**'], mediaTypes: [] },
      identities,
      require: [{ name: 'x', attestation: { type: 'https://x/y', by: 'alice', condition } }],
    })
    return recorded(policy, [await proven(alice.signer, { type: 'https://x/y', predicate: { ok: true } })], { artifact }).decision
  }

  it.each([
    ['its kind', "artifact.kind == 'image'"],
    ['its reference', "artifact.reference == 'registry.example/team/app:1.0'"],
    ['its registry', "artifact.registry == 'registry.example'"],
    ['its repository', "artifact.repository == 'team/app'"],
    ['its tag', "artifact.tag == '1.0'"],
    ['its digests', `artifact.digests == ['${digest}']`],
    ['its media type', "artifact.mediaType == 'application/x'"],
    ['nothing else', 'size(artifact) == 7'],
  ])('is %s', async (_what, condition) => {
    expect(await holds(condition, { ...image, mediaType: 'application/x' })).toBe('allow')
  })

  it('is empty where it is not known', async () => {
    const bare = { ...image, reference: parseReference(`registry.example/team/app@${digest}`) }
    expect(await holds("artifact.tag == '' && artifact.mediaType == ''", bare)).toBe('allow')
    const folder = await compiled({
      match: { mediaTypes: ['application/x'] },
      identities,
      require: [
        { name: 'x', attestation: { type: 'https://x/y', by: 'alice', condition: "artifact.registry == '' && artifact.repository == ''" } },
      ],
    })
    const artifact = { ...image, reference: parseReference('oci:folder:1'), mediaType: 'application/x' }
    expect(recorded(folder, [await proven(alice.signer, { type: 'https://x/y', predicate: {} })], { artifact }).decision).toBe('allow')
  })

  it('is the path of a file', async () => {
    const file = { kind: 'file', path: 'dist/a', digests: [digest], mediaType: 'text/plain' } as const
    const condition = `artifact == {'kind': 'file', 'path': 'dist/a', 'digests': ['${digest}'], 'mediaType': 'text/plain'}`
    expect(await holds(condition, file)).toBe('allow')
    expect(await holds("artifact.mediaType == ''", { kind: 'file', path: 'dist/a', digests: [digest] })).toBe('allow')
  })
})

describe('evidence as rules look at it', () => {
  const evidenceOf = async (signer: SignerEvidence, more: Partial<Evidence> = {}): Promise<ProvenItem> => {
    const { evidence } = await proven(signer)
    return readProven({ ...evidence, ...more }, 'here', nodePrimitives)
  }
  const own = (own: Extract<SignerEvidence, { kind: 'certificate' }>['own']): SignerEvidence => ({
    ...certified('alice@acme.example', 'CN=acme'),
    ...(own === undefined ? {} : { own }),
  })
  const names = [
    { kind: 'email', value: 'b@acme.example' },
    { kind: 'dns', value: 'a.acme.example' },
  ]

  it('is of the earliest proven time', async () => {
    const time = (timeMs: number): Evidence['times'][number] => ({ source: 'timestamp', timeMs, authority: 'tsa' })
    expect((await evidenceOf(alice.signer, { times: [time(7), time(5), time(9)] })).signedMs).toBe(5)
    expect((await evidenceOf(alice.signer, { times: [] })).signedMs).toBeUndefined()
  })

  it.each([
    ['a key', alice.signer],
    ['a certificate of Fulcio', certified('dev@example.com')],
    [
      'a certificate of an own authority',
      own({ authorities: ['one', 'two'], names, commonName: 'Alice', distinguishedName: 'CN=Alice,O=Acme' }),
    ],
    ['one without common name', own({ authorities: ['one'], names, distinguishedName: 'O=Acme' })],
    ['one with a distinguished name alone', own({ authorities: [], names: [], distinguishedName: 'O=Acme' })],
  ])('knows the signer by %s', async (_what, signer) => {
    const { signer: name, tokens, claim, order, source } = await evidenceOf(signer)
    expect(told({ name, tokens, claim, order: order.split('\n'), source, text: signerText(signer) })).toMatchSnapshot()
  })

  it('attack: the same names under another authority that proved them are other evidence', async () => {
    const by = (authorities: readonly string[]): Promise<ProvenItem> => evidenceOf(own({ authorities, names, distinguishedName: 'O=Acme' }))
    const [one, two, both] = [await by(['one']), await by(['two']), await by(['one', 'two'])]
    expect(distinctItems([one, two, both, one])).toHaveLength(3)
  })

  it('is listed once, in an order that is always the same', async () => {
    const items = [await proven(alice.signer), await proven(bob.signer), await proven(certified('dev@example.com'), { logged: true })]
    const [first, ...rest] = distinctItems(items)
    expect(distinctItems([...items, ...items].toReversed())).toEqual([first, ...rest])
    const elsewhere = await proven(alice.signer, { source: 'a' })
    expect(distinctItems([await proven(alice.signer, { source: 'b' }), elsewhere])).toEqual([elsewhere])
    const sorted = distinctItems(items).map(({ order }) => order)
    expect(sorted).toEqual(sorted.toSorted())
  })

  it('of a file is about the digest of the file, and without one a defect', async () => {
    const message = await proven(alice.signer, { content: 'message' })
    expect(message.content).toBe(digest)
    const { artifact: _artifact, ...evidence } = message.evidence
    await expect(readProven(evidence, 'here', nodePrimitives)).rejects.toMatchObject({ code: 'internal' })
    const { evidence: stated, content } = await proven(alice.signer)
    expect(content).toBe(sha256(stated.content.kind === 'message' ? utf8('') : stated.content.payload))
  })

  it('makes a value of a predicate once, when it is asked for', async () => {
    const { claim } = await proven(alice.signer, { type: 'https://x/y', predicate: { a: 1 } })
    const predicate = (): unknown => (claim.kind === 'attestation' ? claim.predicate : undefined)
    expect(predicate()).toEqual({ a: 1 })
    expect(predicate()).toBe(predicate())
  })
})

describe('a verdict', () => {
  const rule = (name: string, by: string, more: Parts = {}): JsonValue => ({ name, signature: { by }, ...more })

  it('names every rule that does not allow, and the code of what cannot change', async () => {
    const policy = await compiled({
      identities,
      require: [rule('one', 'alice'), rule('two', 'bob'), rule('three', 'bob', { onMissing: 'warn' })],
    })
    const verdict = recorded(policy, [])
    expect(verdict.detail).toBe(
      'one: no signature by those who must have signed; two: no signature by those who must have signed; three: no signature by those who must have signed',
    )
    expect(recorded(policy, [await proven(alice.signer), await proven(bob.signer)]).detail).toBe('every rule is satisfied')
    const altered = [
      { source: 'a', refusal: { code: 'signer_untrusted', detail: '' } as const },
      { source: 'b', refusal: { code: 'artifact_altered', detail: '' } as const },
      { source: 'c', refusal: { code: 'bundle_altered', detail: '' } as const },
    ]
    expect(recorded(policy, [], { refusals: altered })).toMatchObject({ code: 'artifact_altered' })
    const unreadable = [{ code: 'registry_unreachable', detail: '' } as const, { code: 'registry_throttled', detail: '' } as const]
    expect(recorded(policy, [], { unreadable })).toMatchObject({ decision: 'deny', code: 'registry_throttled' })
    expect(recorded(policy, [await proven(alice.signer), await proven(bob.signer)], { unreadable })).toMatchObject({ decision: 'allow' })
  })

  it('says in which windows a signer counts', async () => {
    const window = (from: number, until: number): Parts => ({
      pem: alice.pem,
      validFrom: formatTime(daysAgo(from)),
      validUntil: formatTime(daysAgo(until)),
    })
    const keys = [window(30, 20), window(10, 5), { pem: alice.pem, validUntil: formatTime(daysAgo(40)) }]
    const policy = await compiled({ identities: { alice: { keys } }, require: [rule('one', 'alice')] })
    for (const [days, decision] of [
      [50, 'allow'],
      [35, 'deny'],
      [30, 'allow'],
      [20, 'allow'],
      [15, 'deny'],
      [5, 'allow'],
      [1, 'deny'],
    ] as const) {
      expect(recorded(policy, [await proven(alice.signer, { signedMs: daysAgo(days) })]).decision).toBe(decision)
    }
    expect(recorded(policy, [await proven(alice.signer)]).decision).toBe('deny')
  })

  it('says of terms and times what is wrong with them', async () => {
    const policy = await compiled({
      identities,
      require: [rule('one', 'alice'), { name: 'two', signature: { by: 'alice', maxLifetime: '1d', boundName: 'required' } }],
    })
    for (const terms of [{}, { expiresMs: now }, { expiresMs: now + 1 }, { expiresMs: now + 1, name: 'registry.example/team/app' }]) {
      for (const signedMs of [undefined, now - 86_400_000, now - 86_399_999]) {
        const expired = 'expiresMs' in terms && terms.expiresMs <= now
        const { rules } = recorded(policy, [await proven(alice.signer, { terms, signedMs })])
        expect(rules[0]?.decision).toBe(expired ? 'deny' : 'allow')
        expect(rules[1]?.decision).toBe('name' in terms && signedMs === now - 86_399_999 ? 'allow' : 'deny')
      }
    }
  })

  it('counts a key by name under that name, and windows of one key together', async () => {
    const document = documentOf({ identities: { a: { keys: [{ name: 'a.pub' }] } }, require: [rule('one', 'a')] })
    const {
      identities: [identity],
      policy,
    } = await compilePolicy(parsePolicy(document), {
      primitives: nodePrimitives,
      keys: new Map([['a.pub', alice.key.publicKey]]),
    })
    expect(policy.name).toBe('policy')
    expect(identity?.keys).toEqual([{ key: alice.key.publicKey, label: 'a' }])
    expect(identity?.windowsFor(await proven(alice.signer))).toEqual([undefined])
    expect(identity?.windowsFor(await proven(bob.signer))).toBeUndefined()
  })
})
