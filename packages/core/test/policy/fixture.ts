/** Policies and proven evidence for tests: evidence as `verifyEntity` would give it, without the cryptography. */
import { createHash } from 'node:crypto'
import { utf8 } from '../../src/bytes.ts'
import { digestFromBytes, type Digest } from '../../src/digest.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { encodePublicKeyPem, keyFingerprint } from '../../src/keys/public-key.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { buildStatement, signaturePredicateType } from '../../src/statement/statement.ts'
import { compilePolicy, type CompiledPolicy } from '../../src/policy/compile.ts'
import { parsePolicy } from '../../src/policy/document.ts'
import { evaluatePolicy, type PolicyInput } from '../../src/policy/evaluate.ts'
import type { PolicyArtifact } from '../../src/policy/match.ts'
import { readProven, type ProvenItem } from '../../src/policy/proven.ts'
import type { Verdict } from '../../src/policy/verdict.ts'
import type { Evidence, SignerEvidence } from '../../src/verify/evidence.ts'
import { termMembers, type SignedTerms } from '../../src/verify/terms.ts'
import { expect } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { told } from '../told.ts'
import { newTestKey, type TestKey } from '../verify/forge.ts'

/** The verifier's clock in these tests. */
export const now: number = Date.UTC(2026, 5, 2)

/** A moment that many days before the verifier's clock. */
export const daysAgo = (days: number): number => now - days * 86_400_000

/** The digest of the artifact of these tests. */
export const digest: Digest = sha256(utf8('artifact'))

/** SHA-256 as a digest. */
export function sha256(bytes: Uint8Array): Digest {
  return digestFromBytes('sha256', createHash('sha256').update(bytes).digest()) as Digest
}

/** The image of these tests. */
export const image: Extract<PolicyArtifact, { kind: 'image' }> = {
  kind: 'image',
  reference: parseReference('registry.example/team/app:1.0'),
  digests: [digest],
}

/** A person with a key. */
export type Somebody = { readonly key: TestKey; readonly pem: string; readonly signer: SignerEvidence }

/** A fresh key, its PEM, and what evidence says of it. */
export async function somebody(label: string): Promise<Somebody> {
  const key = newTestKey()
  const fingerprint = await keyFingerprint(key.publicKey, nodePrimitives)
  return { key, pem: encodePublicKeyPem(key.publicKey), signer: { kind: 'key', label, fingerprint } }
}

/** A certificate of an identity. */
export function certified(
  subject: string,
  issuer = 'https://issuer.example',
  extensions: Record<string, string> = {},
  keyFingerprint: Digest = sha256(utf8(`key of ${subject}`)),
): Extract<SignerEvidence, { kind: 'certificate' }> {
  return {
    kind: 'certificate',
    issuer,
    subject,
    fingerprint: sha256(utf8(`${issuer} ${subject} ${keyFingerprint}`)),
    keyFingerprint,
    notBeforeMs: 0,
    notAfterMs: now,
    extensions,
  }
}

/** What a test wants of a piece of evidence. */
export type Wishes = {
  readonly signedMs?: number | undefined
  readonly logged?: boolean
  readonly type?: string
  readonly predicate?: JsonValue
  readonly annotations?: Record<string, string>
  readonly artifact?: Digest
  readonly content?: 'message' | 'statement'
  readonly waived?: boolean
  readonly source?: string
  readonly terms?: SignedTerms
}

/** Evidence of a signature, or with `type` of an attestation. */
export async function proven(signer: SignerEvidence, wishes: Wishes = {}): Promise<ProvenItem> {
  const predicateType = wishes.type ?? signaturePredicateType
  const payload = buildStatement({
    version: '1',
    subjects: [{ digest: { sha256: digest.slice(7) } }],
    predicateType,
    // Terms are signed: other terms are other content.
    predicate: utf8(JSON.stringify(wishes.predicate ?? termMembers(wishes.terms ?? {}))),
  })
  const evidence: Evidence = {
    artifact: wishes.artifact ?? digest,
    content: wishes.content === 'message' ? { kind: 'message' } : { kind: 'statement', predicateType, payload },
    annotations: wishes.annotations ?? {},
    ...(wishes.terms === undefined ? {} : { terms: wishes.terms }),
    algorithm: 'PKIX_ECDSA_P256_SHA_256',
    signer,
    log: wishes.logged === true ? [{ baseUrl: 'https://log.example', logIndex: 7, proof: ['inclusion_proof'] }] : [],
    times: wishes.signedMs === undefined ? [] : [{ source: 'timestamp', timeMs: wishes.signedMs, authority: 'tsa' }],
    checks: [],
    waivers: wishes.waived === true ? [{ check: 'log_entry', reason: 'test' }] : [],
  }
  return readProven(evidence, wishes.source ?? 'sha256:manifest', nodePrimitives)
}

/** A policy document with what a test is about. */
export function documentOf(parts: { readonly [name: string]: JsonValue }): JsonValue {
  return { apiVersion: 'countersign.dev/v1', kind: 'ArtifactPolicy', match: { images: ['registry.example/**'] }, ...parts }
}

/** Compiles a policy document. */
export async function compiled(parts: { readonly [name: string]: JsonValue }): Promise<CompiledPolicy> {
  return compilePolicy(parsePolicy(documentOf(parts)), { primitives: nodePrimitives })
}

/** Evaluates with nothing but this evidence. */
export function judge(policy: CompiledPolicy, evidence: readonly ProvenItem[], rest: Partial<PolicyInput> = {}): Verdict {
  return evaluatePolicy(policy, { artifact: image, evidence, refusals: [], unreadable: [], revocations: new Map(), nowMs: now, ...rest })
}

/** {@link judge}, and every word of the verdict must be what was recorded. */
export function recorded(...parameters: Parameters<typeof judge>): Verdict {
  const verdict = judge(...parameters)
  expect(verdictTold(verdict)).toMatchSnapshot()
  return verdict
}

/** A verdict with each thing that was looked at on one line, in an order that fresh keys do not change. */
function verdictTold({ rules, ...head }: Verdict): string {
  const lines = rules.map(({ looked, ...rule }) => [line(rule), ...counted(looked.map((item) => `  ${line(item)}`).sort())].join('\n'))
  return [line(head), ...lines].join('\n')
}

/** Equal lines, which follow each other, as one with their number. */
function counted(lines: readonly string[]): readonly string[] {
  return [...Map.groupBy(lines, (text) => text)].map(([text, { length }]) => (length === 1 ? text : `${text} (${length} times)`))
}

function line(value: object): string {
  return told(value)
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim()
}
