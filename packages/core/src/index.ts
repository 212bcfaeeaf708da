/**
 * The verification core: bytes in, values out. Runs in Node and in browsers; knows no file, network, clock or environment.
 *
 * Everything else is reachable by the name of its file, e.g. `@countersign/core/x509/certificate`.
 */
export { CountersignError, isFailureCode, outcomeOf } from './failure.ts'
export type { FailureCode, FailureParts, Outcome } from './failure.ts'
export { parseDigest } from './digest.ts'
export type { Digest, HashAlgorithm } from './digest.ts'
export type { Awaitable, Hasher, Primitives } from './primitives.ts'
export { webPrimitives } from './web-primitives.ts'
export { encodePublicKeyPem, keyFingerprint, parsePublicKey, parsePublicKeyPem } from './keys/public-key.ts'
export type { PublicKey } from './keys/public-key.ts'
export type { AlgorithmName, SignatureAlgorithm } from './keys/algorithm.ts'
export type { Bundle, SignedEntity } from './bundle/model.ts'
export { parseBundle } from './bundle/parse.ts'
export { serializeBundle } from './bundle/serialize.ts'
export type { AuthorityInstance, LogInstance, TimeRange, TrustedRoot } from './trust/model.ts'
export { parseTrustedRoot, serializeTrustedRoot } from './trust/trusted-root.ts'
export { parseSigningConfig, selectServices, serializeSigningConfig } from './trust/signing-config.ts'
export type { ServiceChoice, ServiceSelector, SigningConfig, SigningService } from './trust/signing-config.ts'
export { parseStatement, signaturePredicateType } from './statement/statement.ts'
export type { Statement } from './statement/statement.ts'
export { formatReference, parseReference } from './oci/reference.ts'
export type { ImageReference } from './oci/reference.ts'
export type { Descriptor, ImageIndex, ImageManifest } from './oci/model.ts'
export type { Artifact } from './verify/artifact.ts'
export type {
  Check,
  CheckName,
  Evidence,
  LogEvidence,
  Refusal,
  SignerEvidence,
  TrustedTime,
  Verification,
  Waiver,
} from './verify/evidence.ts'
export type { ContentDemand, Demand, IdentityMatch, NameMatch, SignerDemand, TrustedKey, VerifyPolicy } from './verify/policy.ts'
export { requiredHashes, verifyBundle, verifyEntity } from './verify/verify.ts'
export type { VerifyRequest } from './verify/verify.ts'
export { parsePolicy } from './policy/document.ts'
export type { ArtifactPolicy, PolicyIdentity, PolicyRule } from './policy/model.ts'
export { compilePolicy } from './policy/compile.ts'
export type { CompiledPolicy, CompileOptions } from './policy/compile.ts'
export { demandsOf } from './policy/demands.ts'
export { evaluatePolicy } from './policy/evaluate.ts'
export type { PolicyInput } from './policy/evaluate.ts'
export { readProven } from './policy/proven.ts'
export type { ProvenItem } from './policy/proven.ts'
export { acceptRevocations } from './policy/revocations.ts'
export type { RevocationState } from './policy/revocations.ts'
export type { RuleReport, Verdict } from './policy/verdict.ts'
