import { createHash } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot as ProtobufTrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { CountersignError, type FailureCode } from '@countersign/core/failure'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import type { Primitives } from '@countersign/core/primitives'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { Artifact } from '@countersign/core/verify/artifact'
import type { Evidence, Verification } from '@countersign/core/verify/evidence'
import type { SignerDemand } from '@countersign/core/verify/policy'
import { verifyBundle } from '@countersign/core/verify/verify'
import { webPrimitives } from '@countersign/core/web-primitives'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../packages/testkit/src/vectors.ts'
import { expectedRefusals, readConformanceCases, type ConformanceCase } from './conformance-cases.ts'

const vectors = vectorsFolder()
const cases = vectors === undefined ? [] : readConformanceCases(vectors)
const nowMs = Date.parse('2026-11-20T00:00:00Z')
const primitives: readonly (readonly [string, Primitives])[] = [
  ['OpenSSL', nodePrimitives],
  ['WebCrypto', webPrimitives(globalThis.crypto.subtle)],
]

describe.skipIf(vectors === undefined)('the Sigstore conformance suite (skipped where the vectors are not beside the checkout)', () => {
  it('has 70 cases, and each failing one has the code that it must be refused with', () => {
    expect(cases.length).toBe(70)
    const failing = cases.map(({ name }) => name).filter((name) => name.endsWith('_fail'))
    expect(Object.keys(expectedRefusals).sort()).toEqual(failing.sort())
  })

  describe.each(primitives)('with %s', (_name, implementation) => {
    it.each(cases)('$name, by file', async (one) => {
      const artifact = { kind: 'stream', stream: createReadStream(one.artifactFile) } as const
      const result = await outcome(one, artifact, implementation)
      expect(codeOf(result)).toBe(one.name.endsWith('_fail') ? expectedRefusals[one.name] : 'verified')
      if (typeof result !== 'string' && result.ok) expectEveryProof(result.evidence, one)
    })

    it.each(cases)('$name, by digest', async (one) => {
      const artifact = { kind: 'digest', digests: [sha256(readFileSync(one.artifactFile))] } as const
      const result = await outcome(one, artifact, implementation)
      expect(codeOf(result)).toBe(one.name.endsWith('_fail') ? expectedRefusals[one.name] : 'verified')
      if (typeof result !== 'string' && result.ok) expectEveryProof(result.evidence, one)
    })
  })

  it('refuses a timestamp outside the certificate also when its base64 has no line breaks', async () => {
    const one = caseNamed('rekor2-timestamp-with-incorrect-time_fail')
    const bundle = JSON.parse(one.bundle.toString('utf8')) as {
      verificationMaterial: { timestampVerificationData: { rfc3161Timestamps: { signedTimestamp: string }[] } }
    }
    for (const stamp of bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps) {
      stamp.signedTimestamp = stamp.signedTimestamp.replaceAll(/\s/g, '')
    }
    const joined = { ...one, bundle: Buffer.from(JSON.stringify(bundle)) }
    const artifact = { kind: 'bytes', bytes: readFileSync(one.artifactFile) } as const
    expect(await outcome(joined, artifact, nodePrimitives)).toMatchObject({ ok: false, code: 'certificate_expired' })
  })

  it('accepts nothing that sigstore-js refuses, and differs from it only where it misses a case', () => {
    const differing = cases.filter((one) => one.key === undefined && sigstoreAccepts(one) === one.name.endsWith('_fail'))
    expect(differing.map(({ name }) => name)).toEqual(['trust-root-tlog-missing-validity-start_fail'])
  })
})

function codeOf(result: Verification | FailureCode): FailureCode | 'verified' {
  if (typeof result === 'string') return result
  return result.ok ? 'verified' : result.code
}

function expectEveryProof({ checks, waivers }: Evidence, one: ConformanceCase): void {
  const ran = checks.map(({ check }) => check)
  expect(ran).toEqual(
    expect.arrayContaining(['content_type', 'signature', 'checkpoint', 'inclusion_proof', 'log_entry', 'artifact_digest']),
  )
  const certified = ['certificate_chain', 'signed_certificate_timestamp', 'identity']
  expect(ran).toEqual(expect.arrayContaining(one.key === undefined ? certified : ['public_key']))
  expect(waivers).toEqual([])
}

/** The verdict, or the code with which the trust material itself was refused. */
async function outcome(one: ConformanceCase, artifact: Artifact, implementation: Primitives): Promise<Verification | FailureCode> {
  const required = { kind: 'required' } as const
  try {
    return await verifyBundle(one.bundle, {
      artifact,
      trustedRoot: parseTrustedRoot(one.trustedRoot),
      nowMs,
      primitives: implementation,
      policy: {
        signer: signerOf(one),
        content: { kind: 'any_content' },
        log: required,
        sct: required,
        signedTimestamp: { kind: 'not_demanded' },
        claims: required,
      },
    })
  } catch (cause) {
    if (cause instanceof CountersignError) return cause.code
    throw cause
  }
}

function signerOf(one: ConformanceCase): SignerDemand {
  if (one.key !== undefined) return { kind: 'keys', keys: [{ key: parsePublicKeyPem(one.key), label: 'key.pub' }] }
  const exact = (value: string): { kind: 'exact'; value: string } => ({ kind: 'exact', value })
  return { kind: 'identities', identities: [{ issuer: exact(one.issuer), subject: exact(one.identity) }] }
}

function sigstoreAccepts(one: ConformanceCase): boolean {
  try {
    const root = ProtobufTrustedRoot.fromJSON(JSON.parse(one.trustedRoot.toString('utf8')))
    const artifact = readFileSync(one.artifactFile)
    const bundle = bundleFromJSON(JSON.parse(one.bundle.toString('utf8')))
    new Verifier(toTrustMaterial(root)).verify(toSignedEntity(bundle, artifact), {
      subjectAlternativeName: one.identity,
      extensions: { issuer: one.issuer },
    })
    if (bundle.content.$case !== 'dsseEnvelope') return true
    const { subject } = JSON.parse(bundle.content.dsseEnvelope.payload.toString('utf8')) as { subject: { digest: { sha256?: string } }[] }
    return subject.some(({ digest }) => `sha256:${digest.sha256 ?? ''}` === sha256(artifact))
  } catch (cause) {
    // The oracle says no by throwing; nothing else can be told from it.
    return !(cause instanceof Error)
  }
}

function caseNamed(name: string): ConformanceCase {
  const found = cases.find((one) => one.name === name)
  if (found === undefined) throw new CountersignError('file_not_found', `no conformance case ${name}`)
  return found
}

function sha256(bytes: Uint8Array): Digest {
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  if (digest === undefined) throw new CountersignError('internal', 'SHA-256 is 32 bytes long')
  return digest
}
