/** What is counted for a rule, and what it comes to where something is unknown, warned of, or by somebody else. */
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { utf8 } from '../../src/bytes.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import type { ProvenItem } from '../../src/policy/proven.ts'
import { revocationListJson, revocationPayloadType, type RevocationEntry } from '../../src/policy/revocation-list.ts'
import { acceptRevocations, type RevocationState } from '../../src/policy/revocations.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { signWith } from '../verify/forge.ts'
import { certified, compiled, daysAgo, documentOf, image, judge, now, proven, somebody } from './fixture.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const identities = { alice: { keys: [alice.pem] }, bob: { keys: [bob.pem] } }
const scan = 'https://example.com/scan'
const scanned = (demand: { readonly [name: string]: JsonValue }): JsonValue => ({ name: 'scanned', attestation: { type: scan, ...demand } })

describe('a condition that nobody finished', () => {
  const condition = 'predicate.a.all(x, predicate.a.all(y, x + y >= 0))'
  const endless = { a: Array.from({ length: 800 }, (_, index) => index) }
  const attested = (predicate: JsonValue): Promise<ProvenItem> => proven(alice.signer, { type: scan, predicate })

  it('could not be told, and is never a condition that holds or fails', async () => {
    const policy = await compiled({ identities, require: [scanned({ by: 'alice', condition })] })
    expect(judge(policy, [await attested(endless)])).toMatchObject({
      decision: 'deny',
      code: 'limit_exceeded',
      rules: [
        {
          outcome: 'could_not_tell',
          looked: [{ status: 'could_not_tell', identities: ['alice'], detail: 'the condition took more than 1000000 steps' }],
        },
      ],
    })
  })

  it('stands in the way of no attestation that fulfils the rule', async () => {
    const policy = await compiled({ identities, require: [scanned({ by: 'alice', condition })] })
    expect(judge(policy, [await attested(endless), await attested({ a: [1] })])).toMatchObject({ decision: 'allow' })
  })
})

describe('a rule that is fulfilled without a signature that a list warns of', () => {
  const target = { kind: 'key', fingerprint: alice.signer.fingerprint } as const
  const entries: readonly RevocationEntry[] = [{ target, severity: 'warn', reason: 'perhaps' }]
  const list = { name: 'list', version: 1, issuedMs: daysAgo(1), expiresMs: now + 1000, entries }
  const revocations: ReadonlyMap<string, RevocationState> = new Map([['list', { ok: true, signedBy: ['board'], list }]])

  it('warns of nothing, and does not name its signer', async () => {
    const policy = await compiled({
      identities,
      revocations: [{ name: 'list', keys: [board.pem] }],
      require: [{ name: 'signed', signature: { by: { anyOf: ['alice', 'bob'] } } }],
    })
    const [warned, clean] = [await proven(alice.signer), await proven(bob.signer)]
    expect(judge(policy, [warned, clean], { revocations })).toMatchObject({
      decision: 'allow',
      rules: [{ outcome: 'satisfied', quorum: { signers: [clean.signer] } }],
    })
    expect(judge(policy, [warned], { revocations })).toMatchObject({ decision: 'warn', rules: [{ quorum: { signers: [warned.signer] } }] })
  })
})

describe('an attestation by a stranger', () => {
  it('is nothing to a rule, also where only the newest of each signer counts', async () => {
    const policy = await compiled({ identities, require: [scanned({ by: 'alice', newest: true })] })
    const strange = await proven(certified('eve@example.com'), { type: scan, signedMs: daysAgo(1) })
    expect(judge(policy, [strange])).toMatchObject({
      decision: 'deny',
      rules: [{ outcome: 'missing', looked: [{ status: 'does_not_count', detail: 'by nobody whom the rule names' }] }],
    })
  })
})

describe('a rule of platforms', () => {
  it('that nobody knows warns at least, and names each that is lacking', async () => {
    const rule = { name: 'platforms', platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'], onMissing: 'allow', onFail: 'allow' }
    const policy = await compiled({ identities, require: [rule] })
    expect(judge(policy, [])).toMatchObject({ decision: 'warn', rules: [{ outcome: 'could_not_tell', code: 'policy_input_missing' }] })
    expect(judge(policy, [], { artifact: { ...image, platforms: ['linux/arm64'] } })).toMatchObject({
      decision: 'allow',
      rules: [{ outcome: 'failed', detail: 'lacks linux/amd64, linux/s390x' }],
    })
  })
})

describe('the keys of a policy', () => {
  it('that sign a list of revocations are those that the policy names, and are told by their names, or else by their fingerprints', async () => {
    const document = documentOf({
      identities: { alice: identities.alice },
      revocations: [{ name: 'list', keys: [{ name: 'board.pub' }, bob.pem], threshold: 2 }],
      require: [{ name: 'signed', signature: { by: 'alice' } }],
    })
    const keys = new Map([['board.pub', board.key.publicKey]])
    const { revocations } = await compilePolicy(parsePolicy(document), { primitives: nodePrimitives, keys })
    const [source] = revocations as [(typeof revocations)[0]]
    const list = { name: 'list', version: 1, issuedMs: daysAgo(1), expiresMs: now + 1000, entries: [] }
    const payload = utf8(JSON.stringify(revocationListJson(list)))
    const signatures = [board, bob].map(({ key }) => ({
      sig: bytesToBase64(signWith(key, preAuthEncoding(revocationPayloadType, payload))),
    }))
    const envelope = utf8(JSON.stringify({ payloadType: revocationPayloadType, payload: bytesToBase64(payload), signatures }))
    expect(await acceptRevocations(envelope, source, now, nodePrimitives)).toMatchObject({
      ok: true,
      signedBy: ['board.pub', bob.signer.fingerprint],
    })
    expect(source.keys.map(({ label }) => label)).toEqual(['board.pub', bob.signer.fingerprint])
  })

  it('need no authority, and certificates of the platform do', async () => {
    const ci = { certificate: { issuer: 'https://issuer.example', subject: 'ci@example.com' } }
    const policy = await compiled({ identities: { alice: identities.alice, ci }, require: [{ name: 's', signature: { by: 'alice' } }] })
    expect(policy.identities.map(({ name, needsAuthority }) => [name, needsAuthority])).toEqual([
      ['alice', false],
      ['ci', true],
    ])
  })
})
