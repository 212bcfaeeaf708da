import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '../../src/base64.ts'
import { bytesToHex } from '../../src/bytes.ts'
import { keyFingerprint } from '../../src/keys/public-key.ts'
import type { TrustedKey } from '../../src/verify/policy.ts'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { issue, nameOf, newKey } from '../x509/issue.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  hashedrekordV1,
  hinted,
  keysOf,
  logBody,
  messageBy,
  newTestKey,
  newTestLog,
  policyOf,
  rootOf,
  signedAtMs,
  simpleSigningBy,
  statementOf,
  verified,
} from './forge.ts'

const signer = newTestKey()
const other = newTestKey()

describe('a signature that no trusted key made', () => {
  it('is signer_untrusted when its hint names another key, with both fingerprints', async () => {
    const result = await verified(entityOf(messageBy(signer), await hinted(signer)), policyOf(keysOf(other)))
    expect(result).toMatchObject({
      ok: false,
      code: 'signer_untrusted',
      expected: await keyFingerprint(other.publicKey, nodePrimitives),
      found: await keyFingerprint(signer.publicKey, nodePrimitives),
    })
  })

  it('is bundle_altered when its hint names a trusted key: content or signature was changed', async () => {
    const content = envelopeBy(signer)
    const payload = statementOf({ subject: [{ digest: { sha256: '0'.repeat(64) } }] })
    const altered = { ...content, envelope: { ...content.envelope, payload } }
    expect(await verified(entityOf(altered, await hinted(signer)), policyOf(keysOf(other, signer)))).toMatchObject({
      ok: false,
      code: 'bundle_altered',
    })
  })

  it('is bundle_altered also when the hint is the fingerprint in hex', async () => {
    const { signature } = messageBy(other)
    const hint = (await keyFingerprint(signer.publicKey, nodePrimitives)).slice(7)
    const content = { kind: 'message', signature, claimedDigest: digestOf(artifactBytes) } as const
    expect(await verified(entityOf(content, { kind: 'public-key', hint }), policyOf(keysOf(signer)))).toMatchObject({
      code: 'bundle_altered',
    })
  })

  it('is signer_untrusted without a hint, or with one that nobody can read', async () => {
    for (const hint of ['', 'release key 2026', `${'A'.repeat(43)}=`, `${'/'.repeat(43)}=`]) {
      const result = await verified(entityOf(messageBy(signer), { kind: 'public-key', hint }), policyOf(keysOf(other)))
      expect(result).toMatchObject({ ok: false, code: 'signer_untrusted' })
    }
    expect(await verified(entityOf(simpleSigningBy(signer, digestOf(artifactBytes))), policyOf(keysOf(other)))).toMatchObject({
      code: 'signer_untrusted',
    })
  })

  it('is artifact_altered first when the claimed digest is of another artifact', async () => {
    const content = { ...messageBy(signer), claimedDigest: digestOf(new Uint8Array(3)) }
    expect(await verified(entityOf(content), policyOf(keysOf(other)))).toMatchObject({
      ok: false,
      code: 'artifact_altered',
      expected: digestOf(new Uint8Array(3)),
      found: digestOf(artifactBytes),
    })
  })

  it('never repeats control characters of a hostile hint', async () => {
    const hint = '\u001b[2Jtrusted\u202e'
    const result = await verified(entityOf(messageBy(signer), { kind: 'public-key', hint }), policyOf(keysOf(other)))
    expect(result).toMatchObject({ ok: false, code: 'signer_untrusted' })
    expect(result.ok ? '' : result.found).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})

it('what a check reports repeats no control characters, whoever chose them', async () => {
  const policy = policyOf({ kind: 'keys', keys: [{ key: signer.publicKey, label: '\u001b[2Jkey\u202e.pub\n' }] })
  const result = await verified(entityOf(messageBy(signer)), policy)
  const told = result.ok ? result.evidence.checks.find(({ check }) => check === 'public_key')?.detail : ''
  expect(told).toContain('\\u{1b}[2Jkey\\u{202e}.pub\\u{a}')
})

describe('a hint', () => {
  it('decides nothing: a trusted key holds whatever the hint says', async () => {
    expect(await verified(entityOf(messageBy(signer), await hinted(other)), policyOf(keysOf(other, signer)))).toMatchObject({
      ok: true,
      evidence: { signer: { kind: 'key', label: 'key 1', fingerprint: await keyFingerprint(signer.publicKey, nodePrimitives) } },
    })
  })

  it('that carries a key, as cosign 3.1.1 took it (GHSA-fx35-mq7g-6g98), adds no trust', async () => {
    for (const hint of [bytesToBase64(signer.publicKey.spki), bytesToHex(signer.publicKey.spki)]) {
      expect(await verified(entityOf(messageBy(signer), { kind: 'public-key', hint }), policyOf(keysOf(other)))).toMatchObject({
        ok: false,
        code: 'signer_untrusted',
      })
    }
  })
})

describe('a certificate beside a signature that is checked with a key', () => {
  const pair = newKey()
  const key = { publicKey: newTestKey().publicKey, privateKey: pair.privateKey }

  it('adds no trust: its key must be a trusted one', async () => {
    const certificate = issue({ issuer: { name: nameOf('anyone'), key: pair }, key: pair })
    const entity = entityOf(messageBy({ ...key, publicKey: newTestKey().publicKey }), { kind: 'certificate', chain: [certificate] })
    expect(await verified(entity, policyOf(keysOf(other)))).toMatchObject({ ok: false, code: 'signer_untrusted' })
  })

  it('is itself not checked, and the evidence says so', async () => {
    const spki = signer.publicKey.spki
    const certificate = issue({ issuer: { name: nameOf('anyone'), key: pair }, key: { privateKey: pair.privateKey, spki } })
    const entity = entityOf(messageBy(signer), { kind: 'certificate', chain: [certificate] })
    const result = await verified(entity, policyOf(keysOf(other, signer)))
    expect(result).toMatchObject({ ok: true, evidence: { signer: { kind: 'key', label: 'key 1' } } })
    const checks = result.ok ? result.evidence.checks : []
    expect(checks.map(({ check }) => check)).toEqual(['content_type', 'signature', 'public_key', 'artifact_digest'])
    expect(checks.find(({ check }) => check === 'public_key')?.detail).toContain('certificate that came with the signature was not checked')
  })

  it('whose key is trusted does not help a signature by another: bundle_altered', async () => {
    const certificate = issue({
      issuer: { name: nameOf('anyone'), key: pair },
      key: { privateKey: pair.privateKey, spki: signer.publicKey.spki },
    })
    const entity = entityOf(messageBy(other), { kind: 'certificate', chain: [certificate] })
    expect(await verified(entity, policyOf(keysOf(other, signer)))).toMatchObject({ ok: false, code: 'bundle_altered' })
  })
})

describe('a demand for an identity', () => {
  const issuer = { kind: 'exact', value: 'https://issuer.example' } as const

  it('is not met by a key: signer_untrusted', async () => {
    const policy = policyOf({ kind: 'identities', identities: [{ issuer, subject: { kind: 'glob', value: '**' } }] })
    expect(await verified(entityOf(messageBy(signer)), policy)).toMatchObject({
      ok: false,
      code: 'signer_untrusted',
      expected: 'a certificate',
    })
  })

  it('is not met by a key even when any certified signer would do', async () => {
    const policy = policyOf({ kind: 'any_certified_signer_UNSAFE', reason: 'test' })
    expect(await verified(entityOf(messageBy(signer)), policy)).toMatchObject({ ok: false, code: 'signer_untrusted' })
  })
})

it('an empty list of keys trusts nobody: trust_missing', async () => {
  expect(await verified(entityOf(messageBy(signer)), policyOf(keysOf()))).toMatchObject({ ok: false, code: 'trust_missing' })
})

describe('a validity window of a key', () => {
  const timed = (start: number, end?: number): TrustedKey => ({
    key: signer.publicKey,
    label: `until ${end ?? 'ever'}`,
    validFor: { start, ...(end === undefined ? {} : { end }) },
  })

  it('needs a trusted time: without one trusted_time_missing', async () => {
    const policy = policyOf({ kind: 'keys', keys: [timed(0)] })
    expect(await verified(entityOf(messageBy(signer)), policy)).toMatchObject({ ok: false, code: 'trusted_time_missing' })
  })

  it.each([
    ['starts after', signedAtMs + 1, undefined, 'key_outside_validity'],
    ['ends before', 0, signedAtMs - 1, 'key_outside_validity'],
    ['starts at', signedAtMs, undefined, 'verified'],
    ['ends at', 0, signedAtMs, 'verified'],
  ] as const)('that %s the time of the log entry gives %s %s %s', async (_what, start, end, expected) => {
    const log = await newTestLog()
    const content = messageBy(signer)
    const entity = { ...entityOf(content), logEntries: [logBody(log, hashedrekordV1(content.signature, signer, artifactBytes))] }
    const policy = policyOf({ kind: 'keys', keys: [timed(start, end)] })
    const result = await verified(entity, policy, { trustedRoot: rootOf({ logs: [log.instance] }) })
    expect(result.ok ? 'verified' : result.code).toBe(expected)
    const ran = result.ok ? result.evidence.checks : result.checks
    expect(ran.some(({ check }) => check === 'key_validity')).toBe(expected === 'verified')
  })

  it('must hold at every trusted time: one inside does not excuse another outside', async () => {
    const [early, late] = [await newTestLog(), await newTestLog(1, 'late.example')]
    const content = messageBy(signer)
    const body = hashedrekordV1(content.signature, signer, artifactBytes)
    const logEntries = [logBody(early, body), logBody(late, body, { integratedTimeMs: signedAtMs + 1000 })]
    const trustedRoot = rootOf({ logs: [early.instance, late.instance] })
    for (const [start, end] of [
      [0, signedAtMs],
      [signedAtMs + 1000, undefined],
    ] as const) {
      const result = await verified({ ...entityOf(content), logEntries }, policyOf({ kind: 'keys', keys: [timed(start, end)] }), {
        trustedRoot,
      })
      expect(result).toMatchObject({ ok: false, code: 'key_outside_validity' })
    }
  })

  it('may be one of several of the same key', async () => {
    const log = await newTestLog()
    const content = messageBy(signer)
    const entity = { ...entityOf(content), logEntries: [logBody(log, hashedrekordV1(content.signature, signer, artifactBytes))] }
    const policy = policyOf({ kind: 'keys', keys: [timed(0, 1), timed(signedAtMs)] })
    const result = await verified(entity, policy, { trustedRoot: rootOf({ logs: [log.instance] }) })
    expect(result).toMatchObject({ ok: true, evidence: { signer: { label: 'until ever' } } })
  })
})
