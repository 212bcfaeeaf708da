import { utf8 } from '@countersign/core/bytes'
import { preAuthEncoding } from '@countersign/core/dsse/envelope'
import { CountersignError } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { attestBlob, signBlob } from '@countersign/sdk/blob/sign'
import { bytesBlobSource } from '@countersign/sdk/blob/source'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import type { BlobSource } from '@countersign/sdk/sign/requests'
import { type FileEvidence, type FileVerdict, judgeFile, type JudgeFileRequest } from '@countersign/sdk/verify/file-by-policy'
import { testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const [alice, bob, mallory] = [testSigner(), testSigner('ed25519'), testSigner()]
const file = bytesBlobSource('dist/app.bin', utf8('the file\n'))

function policyOf(require: JsonValue): Promise<CompiledPolicy> {
  const key = (signer: typeof alice): JsonValue => ({ keys: [encodePublicKeyPem(signer.publicKey)] })
  const identities = { alice: key(alice), bob: key(bob) }
  const text = JSON.stringify({
    apiVersion: 'countersign.dev/v1',
    kind: 'ArtifactPolicy',
    match: { files: ['dist/**'] },
    identities,
    require,
  })
  return loadPolicy(text, 'policy.json', { primitives: nodePrimitives })
}

const both = await policyOf([{ name: 'signed', signature: { by: { allOf: ['alice', 'bob'] } } }])

async function bundleBy(signer: typeof alice, source: BlobSource = file): Promise<FileEvidence> {
  return { name: 'bundle', bytes: (await signBlob(source, signer)).bundle }
}

function judge(evidence: readonly FileEvidence[], more: Partial<JudgeFileRequest> = {}): Promise<FileVerdict> {
  return judgeFile({ file, path: 'dist/app.bin', evidence, policy: both, nowMs, ...more })
}

describe('a file judged by a policy', () => {
  it('is allowed with the signatures of both, and read once for all of them', async () => {
    let opened = 0
    const counting: BlobSource = { ...file, repeatable: false, open: () => ((opened += 1), file.open()) }
    const detached: FileEvidence = { name: 'app.sig', bytes: (await signBlob(file, alice)).signature }
    const result = await judge([detached, await bundleBy(bob)], { file: counting })
    expect(result).toMatchObject({ ok: true, verdict: { decision: 'allow' } })
    expect(opened).toBe(1)
  })

  it('attack: is denied with two bundles of one key, and a stranger', async () => {
    const result = await judge([await bundleBy(alice), await bundleBy(alice), await bundleBy(mallory)])
    expect(result).toMatchObject({ ok: false, failure: { code: 'policy_denied' }, verdict: { decision: 'deny' } })
    expect([result.accepted.length, result.rejected.length]).toEqual([2, 1])
  })

  it('attack: signatures of another file do not count, and say that something was altered', async () => {
    const other = bytesBlobSource('dist/other.bin', utf8('another file\n'))
    expect(await judge([await bundleBy(alice, other), await bundleBy(bob, other)])).toMatchObject({
      ok: false,
      failure: { code: 'artifact_altered' },
    })
  })

  it('attack: a file that is what the signature of an envelope is over is not signed by that', async () => {
    const source = { kind: 'predicate', predicateType: 'https://example.com/p', predicate: utf8('{}') } as const
    const { envelope, statement } = await attestBlob(file, { source, signer: alice })
    const encoded = bytesBlobSource('dist/x', preAuthEncoding('application/vnd.in-toto+json', statement))
    const signature = Buffer.from(JSON.parse(Buffer.from(envelope).toString()).signatures[0].sig, 'base64')
    const one = await policyOf([{ name: 'signed', signature: { by: 'alice' } }])
    const result = await judge([{ name: 'stolen.sig', bytes: signature }], { file: encoded, policy: one })
    expect(result).toMatchObject({ ok: false, rejected: [{ refusal: { code: 'predicate_mismatch' } }] })
  })

  it('is denied under a name that the policy does not speak of', async () => {
    const result = await judge([await bundleBy(alice), await bundleBy(bob)], { path: 'elsewhere/app.bin' })
    expect(result).toMatchObject({ ok: false, verdict: { matched: false, decision: 'deny' } })
  })

  it('is judged by its digest alone, as far as signatures are over digests', async () => {
    const { digest } = await signBlob(file, alice)
    const one = await policyOf([{ name: 'signed', signature: { by: 'alice' } }])
    expect(await judge([await bundleBy(alice)], { file: digest, policy: one })).toMatchObject({ ok: true, digest })
  })

  it('could not tell while evidence could not be read', async () => {
    const unreadable = [new CountersignError('io_failed', 'unreadable'), new CountersignError('limit_exceeded', 'too large')]
    expect(await judge([await bundleBy(alice)], { unreadable })).toMatchObject({
      ok: false,
      verdict: { rules: [{ outcome: 'could_not_tell' }] },
    })
  })

  it('that cannot be read has no verdict, but why', async () => {
    const missing: BlobSource = {
      name: 'missing',
      // oxlint-disable-next-line require-yield -- it fails before the first byte
      open: async function* () {
        throw new CountersignError('file_not_found', 'missing does not exist')
      },
    }
    expect(await judge([], { file: missing })).toMatchObject({ ok: false, failure: { code: 'file_not_found' } })
  })

  it('attack: evidence that does not parse is altered, not absent', async () => {
    const result = await judge([{ name: 'bad', bytes: utf8('{"mediaType":') }])
    expect(result).toMatchObject({ ok: false, failure: { code: 'bundle_malformed' } })
  })

  it('attack: signatures that take longer than an artifact may take end in could not tell, unless what was verified suffices', async () => {
    const evidence = [await bundleBy(alice), await bundleBy(bob)]
    expect(await judge(evidence, { timeLimitMs: 0 })).toMatchObject({ ok: false, failure: { code: 'limit_exceeded' }, accepted: [] })
    expect(await judge(evidence, { timeLimitMs: 10_000 })).toMatchObject({ ok: true, unreadable: [] })
  })

  it('attack: thousands of worthless signatures end in could not tell, not in minutes', async () => {
    const many = Array.from({ length: 64 }, (_, i) => [`k${i}`, { keys: [encodePublicKeyPem(testSigner().publicKey)] }] as const)
    const identities = { ...Object.fromEntries(many), alice: { keys: [encodePublicKeyPem(alice.publicKey)] } }
    const by = { threshold: 2, of: [...many.map(([name]) => name).slice(0, 63), 'alice'] }
    const document = { apiVersion: 'countersign.dev/v1', kind: 'ArtifactPolicy', match: { files: ['dist/**'] }, identities }
    const text = JSON.stringify({ ...document, require: [{ name: 'signed', signature: { by } }] })
    const policy = await loadPolicy(text, 'p', { primitives: nodePrimitives })
    const worthless = await bundleBy(mallory)
    const result = await judge([await bundleBy(alice), ...Array.from({ length: 1000 }, () => worthless)], { policy })
    expect(result).toMatchObject({ ok: false, failure: { code: 'limit_exceeded' } })
    expect(result.rejected.length).toBeLessThan(320)
  }, 60_000)
})
