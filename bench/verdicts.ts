/** Verdicts of the policy engine over evidence that is proven already, as a service evaluates it. */
import { utf8 } from '@countersign/core/bytes'
import { keyFingerprint, encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { parseReference } from '@countersign/core/oci/reference'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { evaluatePolicy, type PolicyInput } from '@countersign/core/policy/evaluate'
import { readProven, type ProvenItem } from '@countersign/core/policy/proven'
import { buildStatement, signaturePredicateType } from '@countersign/core/statement/statement'
import { CountersignError } from '@countersign/core/failure'
import type { Evidence } from '@countersign/core/verify/evidence'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import { sha256Digest } from '@countersign/sdk/registry/verified-stream'
import { testSigner } from '@countersign/testkit/image-fixture'
import { rateOf, type Rate } from './rates.ts'

const nowMs = Date.UTC(2026, 10, 20)
const digest = sha256Digest(utf8('the artifact'))
const provenance = 'https://slsa.dev/provenance/v1'

/** One signature of one key, and two of three people with a provenance that a condition reads. */
export async function verdictRates(): Promise<readonly Rate[]> {
  const people = ['alice', 'bob', 'carol'].map((name) => ({ name, signer: testSigner() }))
  const keys = people
    .map(({ name, signer }) => `  ${name}: { keys: [{ pem: ${JSON.stringify(encodePublicKeyPem(signer.publicKey))} }] }`)
    .join('\n')
  const head = `apiVersion: countersign.dev/v1\nkind: ArtifactPolicy\nmatch: { images: ["registry.example/**"] }\nidentities:\n${keys}\n`
  const one = `${head}require:\n  - { name: signed, signature: { by: alice } }\n`
  const many = `${head}groups:\n  release: { threshold: 2, of: [alice, bob, carol] }\nrequire:\n  - { name: signed, signature: { by: release } }\n  - { name: built, attestation: { type: ${JSON.stringify(provenance)}, by: carol, condition: 'predicate.builder == "ci"' } }\n`
  const evidence = await Promise.all(people.map(({ signer }) => proven(signer.publicKey, signaturePredicateType, {})))
  const built = await proven(people[2]?.signer.publicKey ?? fail(), provenance, { builder: 'ci' })
  const simple = await judgement(one, evidence.slice(0, 1))
  const full = await judgement(many, [...evidence, built])
  return [
    await rateOf('verdicts, one key', simple, 50_000),
    await rateOf('verdicts, two of three keys and an attestation with a condition', full, 50_000),
  ]
}

async function judgement(text: string, evidence: readonly ProvenItem[]): Promise<() => void> {
  const policy: CompiledPolicy = await loadPolicy(text, 'policy.yaml', { primitives: nodePrimitives })
  const artifact = { kind: 'image', reference: parseReference('registry.example/team/app:1.0'), digests: [digest] } as const
  const input: PolicyInput = { artifact, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs }
  return () => {
    const verdict = evaluatePolicy(policy, input)
    if (verdict.decision !== 'allow') throw new CountersignError('internal', `the verdict is ${verdict.decision}: ${verdict.detail}`)
  }
}

async function proven(key: Parameters<typeof keyFingerprint>[0], predicateType: string, predicate: object): Promise<ProvenItem> {
  const payload = buildStatement({
    version: '1',
    subjects: [{ digest: { sha256: digest.slice(7) } }],
    predicateType,
    predicate: utf8(JSON.stringify(predicate)),
  })
  const fingerprint = await keyFingerprint(key, nodePrimitives)
  const evidence: Evidence = {
    artifact: digest,
    content: { kind: 'statement', predicateType, payload },
    annotations: {},
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    signer: { kind: 'key', label: 'key', fingerprint },
    log: [],
    times: [{ source: 'timestamp', timeMs: nowMs - 1_000, authority: 'tsa' }],
    checks: [],
    waivers: [],
  }
  return readProven(evidence, `sha256:${'00'.repeat(32)}`, nodePrimitives)
}

function fail(): never {
  throw new CountersignError('internal', 'nobody signs')
}
