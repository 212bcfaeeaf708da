import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { Verification } from '@countersign/core/verify/evidence'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyBundle, type VerifyRequest } from '@countersign/core/verify/verify'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../packages/testkit/src/vectors.ts'

const vectors = vectorsFolder()

function read(...path: string[]): Buffer {
  return readFileSync(join(vectors ?? '', 'cosign-3.1.1', ...path))
}

async function verifyWith(
  bundle: Buffer,
  key: string,
  wishes: Partial<VerifyPolicy> = {},
  rest: Partial<VerifyRequest> = {},
): Promise<Verification> {
  const notDemanded = { kind: 'not_demanded' } as const
  const trusted = parsePublicKeyPem(read('keys', key).toString('utf8'))
  return verifyBundle(bundle, {
    artifact: { kind: 'bytes', bytes: read('blob', 'b.txt') },
    policy: {
      signer: { kind: 'keys', keys: [{ key: trusted, label: key }] },
      content: { kind: 'signature' },
      log: notDemanded,
      sct: notDemanded,
      signedTimestamp: notDemanded,
      claims: { kind: 'required' },
      ...wishes,
    },
    nowMs: Date.UTC(2026, 11, 1),
    primitives: nodePrimitives,
    ...rest,
  })
}

describe.skipIf(vectors === undefined)('blob bundles of cosign 3.1.1 (skipped where the vectors are not beside the checkout)', () => {
  it.each([
    ['b.sigstore.json', 'cosign.pub', 'PKIX_ECDSA_P256_SHA_256'],
    ['b.bundle-create.json', 'cosign.pub', 'PKIX_ECDSA_P256_SHA_256'],
    ['b-ec384.sigstore.json', 'imp-ec384.pub', 'PKIX_ECDSA_P384_SHA_384'],
    ['b-ec521.sigstore.json', 'imp-ec521.pub', 'PKIX_ECDSA_P521_SHA_512'],
    ['b-rsa2048.sigstore.json', 'imp-rsa2048.pub', 'PKIX_RSA_PKCS1V15_2048_SHA256'],
    ['b-rsa3072-p8.sigstore.json', 'imp-rsa3072-p8.pub', 'PKIX_RSA_PKCS1V15_3072_SHA256'],
  ])('%s holds with %s, also those that cosign itself cannot verify', async (bundle, key, algorithm) => {
    expect(await verifyWith(read('blob', bundle), key)).toMatchObject({ ok: true, evidence: { algorithm } })
    expect(await verifyWith(read('blob', bundle), 'other.pub')).toMatchObject({ ok: false, code: 'signer_untrusted' })
    const evil = { kind: 'bytes', bytes: read('blob', 'evil.txt') } as const
    expect(await verifyWith(read('blob', bundle), key, {}, { artifact: evil })).toMatchObject({ ok: false, code: 'artifact_altered' })
  })

  it('an attestation signed as Ed25519ph, which cosign wrote and never verifies, holds and says so', async () => {
    const bundle = read('attest-blob', 'ed25519ph-unverifiable.json')
    const content = { kind: 'attestation' } as const
    expect(await verifyWith(bundle, 'imp-ed25519.pub', { content })).toMatchObject({ ok: true, evidence: { algorithm: 'PKIX_ED25519_PH' } })
  })

  it('a timestamp is proven where a trusted root names its authority, and is not claimed where none does', async () => {
    const bundle = read('blob', 'b.tsa.sigstore.json')
    const trustedRoot = parseTrustedRoot(read('config', 'tr-tsa.json'))
    expect(await verifyWith(bundle, 'cosign.pub', { signedTimestamp: { kind: 'required' } }, { trustedRoot })).toMatchObject({
      ok: true,
      evidence: { times: [{ source: 'timestamp' }] },
    })
    expect(await verifyWith(bundle, 'cosign.pub')).toMatchObject({ ok: true, evidence: { times: [] } })
    const empty = parseTrustedRoot(read('config', 'tr-empty.json'))
    expect(await verifyWith(bundle, 'cosign.pub', {}, { trustedRoot: empty })).toMatchObject({ ok: true, evidence: { times: [] } })
  })

  it('a log entry that is demanded and absent is log_entry_missing', async () => {
    const trustedRoot = parseTrustedRoot(read('config', 'tr-full.json'))
    expect(await verifyWith(read('blob', 'b.sigstore.json'), 'cosign.pub', { log: { kind: 'required' } }, { trustedRoot })).toMatchObject({
      ok: false,
      code: 'log_entry_missing',
    })
  })

  it.each(['ab.sigstore.json', 'ab.num.json', 'ab.stmt.json'])('%s is an attestation, and never a signature', async (name) => {
    const bundle = read('attest-blob', name)
    expect(await verifyWith(bundle, 'cosign.pub', { content: { kind: 'attestation' } })).toMatchObject({ ok: true })
    expect(await verifyWith(bundle, 'cosign.pub')).toMatchObject({ ok: false, code: 'predicate_mismatch' })
  })
})
