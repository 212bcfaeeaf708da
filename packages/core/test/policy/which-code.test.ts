import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { encodePem } from '../../src/pem.ts'
import { compilePolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { explainPolicy } from '../../src/policy/explain.ts'
import type { RevocationList } from '../../src/policy/revocation-list.ts'
import type { RevocationState } from '../../src/policy/revocations.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { newAuthority } from '../x509/issue.ts'
import { compiled, documentOf, image, now, proven, recorded, somebody } from './fixture.ts'

const [alice, bob, board] = [await somebody('alice'), await somebody('bob'), await somebody('board')]
const identities = { alice: { keys: [alice.pem] }, bob: { keys: [bob.pem] } }
const signed = (name: string, by: string, more: { readonly [name: string]: JsonValue } = {}): JsonValue => ({
  name,
  signature: { by },
  ...more,
})
const platforms = { name: 'platforms', platforms: ['linux/amd64'] }

describe('the code of a verdict that denies', () => {
  const unreadable = [{ code: 'registry_unreachable', detail: '' } as const]

  it('is why it could not be told, where nothing is denied for another reason', async () => {
    const policy = await compiled({ identities, require: [signed('one', 'alice'), platforms] })
    // The platforms are not known either.
    expect(recorded(policy, [], { unreadable })).toMatchObject({ decision: 'deny', code: 'registry_unreachable' })
    expect(recorded(policy, [await proven(alice.signer)], { unreadable })).toMatchObject({ code: 'policy_input_missing' })
  })

  it('is policy_denied where one rule is denied whatever may still be found', async () => {
    const policy = await compiled({ identities, require: [signed('one', 'alice'), platforms] })
    const artifact = { ...image, platforms: ['linux/arm64'] }
    expect(recorded(policy, [], { unreadable, artifact })).toMatchObject({ code: 'policy_denied' })
  })

  it('is that of what was altered, not of any other refusal', async () => {
    const policy = await compiled({ identities, require: [signed('one', 'alice')] })
    const refusals = [{ source: 'a', refusal: { code: 'signer_untrusted', detail: '' } as const }]
    expect(recorded(policy, [], { refusals })).toMatchObject({ decision: 'deny', code: 'policy_denied' })
  })

  it('is the same in whichever order places could not be read', async () => {
    const policy = await compiled({ identities, require: [signed('one', 'alice')] })
    const more = [{ code: 'registry_throttled', detail: '' } as const, ...unreadable]
    expect(recorded(policy, [], { unreadable: more }).code).toBe(recorded(policy, [], { unreadable: more.toReversed() }).code)
  })
})

it('a rule that speaks of something else does not make the policy silent', async () => {
  const other = signed('other', 'bob', { match: { images: ['registry.example/other'] } })
  const policy = await compiled({ identities, require: [other, signed('one', 'alice')] })
  expect(recorded(policy, [await proven(alice.signer)])).toMatchObject({ decision: 'allow', detail: 'every rule is satisfied' })
})

it('of two lists that a policy names, each revokes', async () => {
  const list = (name: string, revokes: boolean): RevocationList => ({
    name,
    version: 1,
    issuedMs: 0,
    expiresMs: now + 1,
    entries: revokes ? [{ target: { kind: 'key', fingerprint: alice.signer.fingerprint }, severity: 'deny', reason: 'x' }] : [],
  })
  const revocations = ['a', 'b'].map((name) => ({ name, keys: [board.pem] }))
  const policy = await compiled({ identities, revocations, require: [signed('one', 'alice')] })
  for (const revoking of ['a', 'b']) {
    const states = new Map<string, RevocationState>(
      ['a', 'b'].map((name) => [name, { ok: true, list: list(name, name === revoking), signedBy: ['board'] }]),
    )
    expect(recorded(policy, [await proven(alice.signer)], { revocations: states }).decision).toBe('deny')
  }
})

describe('in words', () => {
  it('keys that are given by name or fingerprint go by these', async () => {
    const document = documentOf({
      match: { images: ['a', 'b'], files: ['c', 'd'], mediaTypes: ['x', 'y'] },
      identities: { a: { keys: [{ name: 'a.pub' }, { fingerprint: bob.signer.fingerprint }] } },
      require: [signed('one', 'a')],
    })
    const keys = new Map([
      ['a.pub', alice.key.publicKey],
      ['b.pub', bob.key.publicKey],
    ])
    const { about, rules } = explainPolicy(await compilePolicy(parsePolicy(document), { primitives: nodePrimitives, keys }))
    expect(rules[0]?.identities).toEqual([{ name: 'a', who: `key a.pub, or key ${bob.signer.fingerprint}` }])
    expect(about).toBe('images a, b and files c, d, if of type x or y')
  })

  it('authorities in files go by the names of these', async () => {
    const root = encodePem('CERTIFICATE', newAuthority().root)
    const x509 = { roots: [{ file: 'acme.pem' }, root], subject: 'alice@acme.example' }
    const document = documentOf({ identities: { a: { x509 } }, require: [signed('one', 'a')] })
    const policy = await compilePolicy(parsePolicy(document), { primitives: nodePrimitives, certificates: new Map([['acme.pem', root]]) })
    expect(explainPolicy(policy).rules[0]?.identities[0]?.who).toBe(
      'a certificate for alice@acme.example under acme.pem or the authority in the policy',
    )
    expect(policy.identities[0]?.needsAuthority).toBe(false)
    expect(policy.identities[0]?.windowsFor(await proven(alice.signer))).toBeUndefined()
  })
})

it('what is no key says why, with the cause', async () => {
  const policy = parsePolicy(documentOf({ identities: { a: { keys: ['x'] } }, require: [signed('one', 'a')] }))
  await expect(compilePolicy(policy, { primitives: nodePrimitives })).rejects.toMatchObject({
    code: 'policy_malformed',
    cause: expect.objectContaining({ code: 'pem_malformed' }) as unknown,
  })
})
