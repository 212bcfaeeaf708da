/**
 * The verification of one signature: entity, artifact, policy, trusted root and time in, evidence or a refusal out.
 *
 * Order (Sigstore client specification §4, with every demand of it): content, signature, log entries, timestamps, then the signer at every
 * time that these proved, then what the content says about the artifact. A refusal names the first thing that does not hold.
 */
import { parseBundle } from '../bundle/parse.ts'
import type { SignedEntity } from '../bundle/model.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'
import type { PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import type { TrustedRoot } from '../trust/model.ts'
import type { CertificateReader } from '../x509/chain.ts'
import { demandNoEnvelope, readArtifact, type Artifact, type KnownArtifact } from './artifact.ts'
import { bindArtifact, demandClaimedDigest, namedHashes } from './binding.ts'
import { readCertificate, type ReadCertificate } from './certificate.ts'
import type { CertificateCache, Recall } from './certificate-cache.ts'
import { demandContent, describeContent, readContent, type ReadContent } from './content.ts'
import type { CheckName, Evidence, SignerEvidence, TrustedTime, Verification } from './evidence.ts'
import { openLedger, refusalOf, type Ledger } from './ledger.ts'
import type * as LogRoom from './log.ts'
import type { ProvenLog } from './log.ts'
import type * as LoggedRoom from './logged-signature.ts'
import type { Demand, SignerDemand, TrustedKey, VerifyPolicy } from './policy.ts'
import { candidateKeys, certifiedKeyUntrusted, noKeySigned, proveKey } from './public-key.ts'
import { findSigner, bytesToKeep, messageHashes, type HeldSignature } from './signature.ts'
import { demandUnexpired, readTerms } from './terms.ts'
import { demandLogsInUse, distinctAuthorities } from './time.ts'
import type * as SignerRoom from './signer-certificate.ts'
import type * as TimestampRoom from './timestamp.ts'
import type { ProvenTimestamps } from './timestamp.ts'

/** Most log entries, and most timestamps, that are looked at; more is `limit_exceeded`. */
const maxProofs = 32

/** What a verification is given. */
export type VerifyRequest = {
  readonly entity: SignedEntity
  readonly artifact: Artifact
  readonly policy: VerifyPolicy
  /** Anchors of certificates, logs and timestamps. With trusted keys alone it may be absent: then none of the three is looked at. */
  readonly trustedRoot?: TrustedRoot
  /** The verifier's clock, Unix milliseconds. Only refuses what lies in the future; never stands in for a trusted time. */
  readonly nowMs: number
  readonly primitives: Primitives
  /** For verifying many: certificates, promises of CT logs and tree heads that were right are not computed again. */
  readonly certificateCache?: CertificateCache
}

/** What is read first: who may have signed what. */
type Reading = {
  readonly content: ReadContent
  readonly certificate: ReadCertificate | undefined
  /** The keys that may have made the signature; empty unless the policy trusts keys. */
  readonly trusted: readonly TrustedKey[]
  readonly keys: readonly PublicKey[]
}

/**
 * Verifies one signature. Refusals are values, whatever the entity is; what is thrown is a broken assumption, or what the artifact's stream
 * throws beyond the platform's own failures.
 */
export async function verifyEntity(request: VerifyRequest): Promise<Verification> {
  const ledger = openLedger()
  return asVerification(ledger, async () => prove(request, ledger))
}

/** Parses a Sigstore bundle (JSON, UTF-8) and verifies it; a bundle that does not parse is a refusal too. */
export async function verifyBundle(bundle: Uint8Array | string, request: Omit<VerifyRequest, 'entity'>): Promise<Verification> {
  const ledger = openLedger()
  return asVerification(ledger, async () => prove({ ...request, entity: parseBundle(bundle) }, ledger))
}

/**
 * The hash functions in which a verification of this entity needs to know the artifact, each once: give digests in these, or the artifact.
 * Throws what makes the entity unreadable.
 */
export function requiredHashes(entity: SignedEntity, policy: VerifyPolicy): readonly HashAlgorithm[] {
  return hashesOf(read(entity, policy))
}

/** Bytes of a stream that a verification of this entity wants to have whole, if it is no longer: keep them for `{ kind: 'known' }`. */
export function bytesToKeepFor(entity: SignedEntity, policy: VerifyPolicy): number {
  const { content, keys } = read(entity, policy)
  return bytesToKeep(content, keys)
}

async function asVerification(ledger: Ledger, run: () => Promise<Evidence>): Promise<Verification> {
  try {
    return { ok: true, evidence: await run() }
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
    return refusalOf(cause, ledger.checks)
  }
}

/** With what a cache may answer, if there is one. */
type ProofRequest = VerifyRequest & { readonly recall: Recall | undefined }

async function prove(asked: VerifyRequest, ledger: Ledger): Promise<Evidence> {
  const { entity, policy, primitives } = asked
  const recall = asked.certificateCache?.over(primitives)
  const request: ProofRequest = { ...asked, recall }
  const reading = read(entity, policy, recall?.reader)
  const { content, certificate, keys } = reading
  demandContent(content, policy.content, ledger)
  if (policy.signer.kind === 'keys' && keys.length === 0 && certificate !== undefined) {
    throw await certifiedKeyUntrusted(policy.signer.keys, certificate.key, primitives)
  }
  const artifact = await readArtifact(request.artifact, hashesOf(reading), bytesToKeep(content, keys), primitives)
  if (content.kind === 'message') {
    demandClaimedDigest(content, artifact)
    demandNoEnvelope(artifact)
  }
  const held = await findSigner(content, keys, artifact, primitives)
  if (held === undefined) throw await noSignature(entity, reading, primitives)
  ledger.held('signature', `${held.algorithm.name} over ${content.kind === 'message' ? 'the artifact' : `the ${describeContent(content)}`}`)
  const log = await proveLog(request, reading, held, artifact, ledger)
  const stamps = await proveStamps(request, content, ledger)
  const times = [...stamps.times, ...log.times]
  demandLogsInUse(log.logs, times)
  if (times.length === 0 && stamps.foreign > 0 && isKeyless(policy.signer)) throw foreignOnly(stamps.foreign)
  const signer = await proveSigner(request, reading, held, times, ledger)
  const binding = bindArtifact(content, held.digest, artifact, policy.content, policy.claims, ledger)
  const terms = readTerms(content)
  demandUnexpired(terms, request.nowMs, ledger)
  return {
    ...binding,
    ...(terms === undefined ? {} : { terms }),
    content: contentEvidence(content),
    algorithm: held.algorithm.name,
    signer,
    log: log.evidence,
    times: distinctAuthorities(times),
    checks: ledger.checks,
    waivers: ledger.waivers,
  }
}

function read(entity: SignedEntity, policy: VerifyPolicy, reader?: CertificateReader): Reading {
  demandBounds(entity)
  const content = readContent(entity.content)
  const { material } = entity
  const certificate = material.kind === 'certificate' ? readCertificate(material.chain, reader) : undefined
  const { signer } = policy
  if (signer.kind === 'keys') {
    const trusted = candidateKeys(signer.keys, certificate?.key)
    return { content, certificate, trusted, keys: trusted.map(({ key }) => key) }
  }
  if (certificate === undefined) {
    throw new CountersignError('signer_untrusted', 'the signature was made with a key, and a certificate of a named identity is demanded', {
      expected: 'a certificate',
      found: material.kind === 'public-key' && material.hint !== undefined ? `a key, hint ${material.hint.slice(0, 100)}` : 'a key',
      hint: 'If you trust the key, verify with it.',
    })
  }
  return { content, certificate, trusted: [], keys: [certificate.key] }
}

function demandBounds(entity: SignedEntity): void {
  if (entity.logEntries.length > maxProofs) {
    throw new CountersignError('limit_exceeded', `${entity.logEntries.length} log entries`, { expected: `at most ${maxProofs}` })
  }
  if (entity.timestamps.length > maxProofs) {
    throw new CountersignError('limit_exceeded', `${entity.timestamps.length} timestamps`, { expected: `at most ${maxProofs}` })
  }
}

function hashesOf({ content, keys }: Reading): readonly HashAlgorithm[] {
  const needed = content.kind === 'message' ? messageHashes(content, keys) : namedHashes(content)
  return needed.length === 0 ? ['sha256'] : [...new Set(needed)]
}

let logProof: Promise<[typeof LogRoom, typeof LoggedRoom]> | undefined
let timestampProof: Promise<typeof TimestampRoom> | undefined
let signerProof: Promise<typeof SignerRoom> | undefined

/**
 * Loaded when there is something to prove, like timestamps and certificates below: they are most of the code, and loading code is most of what
 * a short verification with a key costs; and asked for once, because each `import()` costs a tenth of a verification. For a certificate a log entry is demanded whatever the policy leaves out.
 */
async function proveLog(
  { entity, policy, trustedRoot, nowMs, primitives, recall }: ProofRequest,
  { content, certificate }: Reading,
  held: HeldSignature,
  artifact: KnownArtifact,
  ledger: Ledger,
): Promise<ProvenLog> {
  const demanded = policy.log.kind === 'required' || isKeyless(policy.signer)
  if (isSkipped('log_entry', policy.log, demanded, trustedRoot === undefined ? [] : entity.logEntries, ledger))
    return { evidence: [], times: [], logs: [] }
  logProof ??= Promise.all([import('./log.ts'), import('./logged-signature.ts')])
  const [{ proveLogEntries }, { loggedSignature }] = await logProof
  const logged = loggedSignature(content, held, certificate?.leaf.raw, artifact, primitives)
  return proveLogEntries(entity.logEntries, demanded, logged, { trustedRoot, nowMs, primitives, recall, ledger })
}

async function proveStamps(
  { entity, policy, trustedRoot, nowMs, primitives, recall }: ProofRequest,
  content: ReadContent,
  ledger: Ledger,
): Promise<ProvenTimestamps> {
  const demanded = policy.signedTimestamp.kind === 'required'
  if (isSkipped('timestamp', policy.signedTimestamp, demanded, trustedRoot === undefined ? [] : entity.timestamps, ledger))
    return { times: [], foreign: 0 }
  timestampProof ??= import('./timestamp.ts')
  const { proveTimestamps } = await timestampProof
  const stamped =
    content.kind === 'statement' && content.document !== undefined ? [content.signature, content.document] : [content.signature]
  return proveTimestamps(entity.timestamps, stamped, demanded, { trustedRoot, nowMs, primitives, recall, ledger })
}

/** Waived by name, which is recorded; or not demanded, and nothing is there that anything trusted could prove. */
function isSkipped(check: CheckName, demand: Demand, demanded: boolean, provable: readonly unknown[], ledger: Ledger): boolean {
  if (demand.kind === 'waived_UNSAFE') {
    ledger.waived(check, demand.reason)
    return true
  }
  return !demanded && provable.length === 0
}

async function noSignature(entity: SignedEntity, { trusted }: Reading, primitives: Primitives): Promise<CountersignError> {
  if (trusted.length > 0) return noKeySigned(entity.material, trusted, primitives)
  return new CountersignError('bundle_altered', 'the signature does not verify with the key of the certificate that came with it')
}

/** Without this, a signature with foreign timestamps alone would be said to have none. */
function foreignOnly(foreign: number): CountersignError {
  return new CountersignError('timestamp_untrusted', 'only authorities that are not trusted have stamped the signature', {
    expected: 'a timestamp of an authority of the trusted root',
    found: `${foreign} by others`,
  })
}

/** Certificates of the trusted root's authorities live for minutes, and their logging is what makes misuse visible. */
function isKeyless({ kind }: SignerDemand): boolean {
  return kind === 'identities' || kind === 'any_certified_signer_UNSAFE'
}

async function proveSigner(
  { policy, trustedRoot, nowMs, primitives, recall }: ProofRequest,
  { certificate, trusted }: Reading,
  held: HeldSignature,
  times: readonly TrustedTime[],
  ledger: Ledger,
): Promise<SignerEvidence> {
  const { signer }: { readonly signer: SignerDemand } = policy
  if (signer.kind === 'keys') return proveKey(held.key, trusted, times, certificate !== undefined, primitives, ledger)
  if (certificate === undefined) throw new CountersignError('internal', 'an identity is demanded of a signature without certificate')
  if (signer.kind === 'authorities') {
    const { proveOwnCertificate } = await import('./own-certificate.ts')
    return proveOwnCertificate(certificate, signer.authorities, times, { nowMs, primitives, recall, ledger })
  }
  signerProof ??= import('./signer-certificate.ts')
  const { proveCertificate } = await signerProof
  return proveCertificate(certificate, signer, times, { policy, trustedRoot, primitives, recall, ledger })
}

function contentEvidence(content: ReadContent): Evidence['content'] {
  switch (content.kind) {
    case 'message':
      return { kind: 'message' }
    case 'simple-signing':
      return { kind: 'simple-signing', dockerReference: content.payload.dockerReference, payload: content.message }
    case 'statement':
      return { kind: 'statement', predicateType: content.statement.predicateType, payload: content.payload }
    default:
      return unreachable(content)
  }
}
