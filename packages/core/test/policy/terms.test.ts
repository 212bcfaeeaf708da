import { describe, expect, it } from 'vitest'
import type { JsonValue } from '../../src/json/parse.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { needsTrustedTime } from '../../src/policy/demands.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { lintPolicy } from '../../src/policy/lint.ts'
import type { PolicyArtifact } from '../../src/policy/match.ts'
import type { SignedTerms } from '../../src/verify/terms.ts'
import { failureOf } from '../refusal.ts'
import { compiled, daysAgo, digest, documentOf, image, now, proven, somebody, recorded } from './fixture.ts'

const alice = await somebody('alice')
const day = 86_400_000
const mirrors = [
  { from: 'registry.example/team/**', to: 'mirror.internal/copies/**' },
  { from: 'registry.example/single/app', to: 'mirror.internal/other' },
  { from: 'docker.io/**', to: 'mirror.internal/hub/**' },
]

async function decide(
  rule: { readonly [name: string]: JsonValue },
  terms: SignedTerms | undefined,
  signedMs?: number,
  name?: string,
): Promise<string> {
  const policy = await compiled({
    match: { images: ['**'] },
    identities: { alice: { keys: [alice.pem] } },
    mirrors,
    require: [{ name: 'signed', signature: { by: 'alice', ...rule } }],
  })
  const artifact: PolicyArtifact = name === undefined ? image : { ...image, reference: parseReference(name) }
  return recorded(policy, [await proven(alice.signer, { ...(terms === undefined ? {} : { terms }), signedMs })], { artifact }).decision
}

describe('the expiry that a signer has signed', () => {
  it.each([
    ['none', {}, undefined, undefined, 'allow'],
    ['one to come, not asked for', {}, { expiresMs: now + day }, undefined, 'allow'],
    ['one that is past, not asked for', {}, { expiresMs: now - 1 }, undefined, 'deny'],
    ['one that is now', {}, { expiresMs: now }, undefined, 'deny'],
    ['none, though demanded', { expires: 'required' }, undefined, undefined, 'deny'],
    ['none beside a name, though demanded', { expires: 'required' }, { name: 'x' }, undefined, 'deny'],
    ['one, as demanded', { expires: 'required' }, { expiresMs: now + day }, undefined, 'allow'],
    ['a lifetime within bounds', { maxLifetime: '30d' }, { expiresMs: daysAgo(1) + 30 * day }, daysAgo(1), 'allow'],
    ['a lifetime beyond them', { maxLifetime: '30d' }, { expiresMs: daysAgo(1) + 30 * day + 1 }, daysAgo(1), 'deny'],
    ['a lifetime that nobody can tell', { maxLifetime: '30d' }, { expiresMs: now + day }, undefined, 'deny'],
    ['no expiry where a lifetime is bounded', { maxLifetime: '30d' }, undefined, daysAgo(1), 'deny'],
  ] as const)('%s', async (_what, rule, terms, signedMs, decision) => {
    expect(await decide(rule, terms, signedMs)).toBe(decision)
  })

  it('attack: evidence that was proven before the expiry does not outlive it in a cache', async () => {
    const policy = await compiled({ identities: { alice: { keys: [alice.pem] } }, require: [{ name: 's', signature: { by: 'alice' } }] })
    const cached = [await proven(alice.signer, { terms: { expiresMs: now + 1 } })]
    expect(recorded(policy, cached).decision).toBe('allow')
    expect(recorded(policy, cached, { nowMs: now + 1 }).decision).toBe('deny')
  })

  it('with a bound lifetime needs trusted times', async () => {
    const policy = await compiled({
      identities: { alice: { keys: [alice.pem] } },
      require: [{ name: 's', signature: { by: 'alice', maxLifetime: '1d' } }],
    })
    expect(needsTrustedTime(policy)).toBe(true)
  })
})

describe('the name that a signer has signed', () => {
  const bound = { boundName: 'required' }

  it.each([
    ['the same', 'registry.example/team/app', 'registry.example/team/app:1', 'allow'],
    ['none', undefined, 'registry.example/team/app:1', 'deny'],
    ['another', 'registry.example/team/other', 'registry.example/team/app:1', 'deny'],
    ['one that is mirrored here', 'registry.example/team/app', 'mirror.internal/copies/app:1', 'allow'],
    ['one mirrored deeper', 'registry.example/team/a/b', 'mirror.internal/copies/a/b:1', 'allow'],
    ['another than is mirrored here', 'registry.example/team/other', 'mirror.internal/copies/app:1', 'deny'],
    ['the mirror, where the original is used', 'mirror.internal/copies/app', 'registry.example/team/app:1', 'deny'],
    ['one that begins alike', 'registry.example/teammate/app', 'mirror.internal/copies/mate/app:1', 'deny'],
    ['one repository that is mirrored', 'registry.example/single/app', 'mirror.internal/other:1', 'allow'],
    ['one below it', 'registry.example/single/app/x', 'mirror.internal/other/x:1', 'deny'],
    ['one of Docker Hub', 'index.docker.io/library/nginx', 'mirror.internal/hub/library/nginx:1', 'allow'],
  ] as const)('is %s', async (_what, name, used, decision) => {
    expect(await decide(bound, name === undefined ? undefined : { name }, undefined, used)).toBe(decision)
  })

  it('attack: is not known of an image in a folder, so that a demand for it is not met there', async () => {
    expect(await decide({ ...bound }, { name: 'registry.example/team/app' }, undefined, 'oci:image:1')).toBe('deny')
  })

  it('says what was expected and found', async () => {
    const policy = await compiled({
      identities: { alice: { keys: [alice.pem] } },
      require: [{ name: 's', signature: { by: 'alice', ...bound } }],
    })
    expect(recorded(policy, [await proven(alice.signer, { terms: { name: 'registry.example/x' } })])).toMatchObject({
      rules: [
        {
          wanted: 'a signature by alice, bound to this name',
          looked: [
            {
              status: 'does_not_count',
              detail: 'it is bound to another name: expected registry.example/team/app, found registry.example/x',
            },
          ],
        },
      ],
    })
  })

  it('of a file is none', async () => {
    const policy = await compiled({
      match: { files: ['**'] },
      identities: { alice: { keys: [alice.pem] } },
      require: [{ name: 's', signature: { by: 'alice', ...bound } }],
    })
    const artifact = { kind: 'file', path: 'a', digests: [digest] } as const
    expect(recorded(policy, [await proven(alice.signer, { terms: { name: 'a' } })], { artifact }).decision).toBe('deny')
  })

  it.each([
    ['stars within', { from: 'registry.example/*/x', to: 'm.example/y' }],
    ['a beginning beside a name', { from: 'registry.example/**', to: 'm.example/y' }],
    ['a tag', { from: 'registry.example/x:1', to: 'm.example/y' }],
    ['a digest', { from: `registry.example/x@${digest}`, to: 'm.example/y' }],
    ['everything', { from: '**', to: 'm.example/**' }],
    ['nothing', { from: '', to: 'm.example/**' }],
    ['a folder', { from: 'oci:x', to: 'm.example/y' }],
  ])('has no mirror with %s', (_what, mirror) => {
    const document = documentOf({
      mirrors: [mirror],
      identities: { alice: { keys: [alice.pem] } },
      require: [{ name: 's', signature: { by: 'alice' } }],
    })
    expect(failureOf(() => parsePolicy(document))?.code).toBe('policy_malformed')
  })

  it('is linted where mirrors are named and no rule asks for it', async () => {
    const parts = { mirrors, identities: { alice: { keys: [alice.pem] } } }
    const loose = await compiled({ ...parts, require: [{ name: 's', signature: { by: 'alice' } }] })
    const tight = await compiled({ ...parts, require: [{ name: 's', signature: { by: 'alice', ...bound } }] })
    expect([lintPolicy(loose, now).map(({ finding }) => finding), lintPolicy(tight, now)]).toEqual([['mirrors_unused'], []])
  })
})
