/** What a signer makes: envelopes, bundles, and the hint at the key. */
import { bundleMediaType, serializeBundle } from '@countersign/core/bundle/serialize'
import type { Bundle, SignedContent, SignedEntity } from '@countersign/core/bundle/model'
import { type DsseEnvelope, inTotoPayloadType, preAuthEncoding } from '@countersign/core/dsse/envelope'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { keyHint, type PublicKey } from '@countersign/core/keys/public-key'
import { parseStatement } from '@countersign/core/statement/statement'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyEntity } from '@countersign/core/verify/verify'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { Signer, SignerServices } from './signer.ts'

/** Signs an in-toto statement: one signature, no `keyid` (DSSE protocol.md; cosign refuses a `keyid` with a plain key). */
export async function signStatement(statement: Uint8Array, signer: Signer): Promise<DsseEnvelope> {
  const sig = await signer.signMessage(preAuthEncoding(inTotoPayloadType, statement))
  return { payloadType: inTotoPayloadType, payload: statement, signatures: [{ sig }] }
}

/**
 * A Sigstore bundle v0.3 of signed content, one line of JSON, with what the signer's services say of it. Such a bundle is verified, with all that
 * a verifier demands, before it is given: a service that answers wrongly is noticed by the signer, who can sign again. Throws what the services
 * throw, and the refusal of the verification.
 */
export async function bundleOf(content: SignedContent, signer: Signer): Promise<Uint8Array> {
  const { services, publicKey, messageAlgorithm, digestAlgorithm } = signer
  const algorithm = content.kind === 'message' ? digestAlgorithm : messageAlgorithm
  const recorded = services === undefined ? { logEntries: [], timestamps: [] } : await services.record(content, algorithm)
  const bundle: Bundle = {
    version: '0.3',
    mediaType: bundleMediaType,
    material:
      services?.certificate === undefined
        ? { kind: 'public-key', hint: await keyHint(publicKey, nodePrimitives) }
        : { kind: 'certificate', chain: [services.certificate] },
    ...recorded,
    content,
  }
  if (services !== undefined) await demandAccepted(bundle, services)
  return serializeBundle(bundle)
}

async function demandAccepted(entity: SignedEntity, { demands, nowMs }: SignerServices): Promise<void> {
  const verification = await verifyEntity({
    entity,
    artifact: { kind: 'digest', digests: [ownDigest(entity.content)] },
    policy: demands.policy,
    trustedRoot: demands.trustedRoot,
    nowMs: nowMs(),
    primitives: nodePrimitives,
  })
  if (verification.ok) return
  throw new CountersignError(verification.code, `the signature just made would not be accepted: ${verification.detail}`, {
    ...(verification.expected === undefined ? {} : { expected: verification.expected }),
    ...(verification.found === undefined ? {} : { found: verification.found }),
    hint: 'Check that the trusted root and the signing config are of the same installation, and that the clocks agree.',
  })
}

/** What the signature is about, by its own word: here we ourselves gave it. */
function ownDigest(content: SignedContent): Digest {
  if (content.kind === 'message' && content.claimedDigest !== undefined) return content.claimedDigest
  const named = content.kind === 'dsse' ? parseStatement(content.envelope.payload).subjects[0]?.digest : undefined
  for (const [algorithm, hex] of Object.entries(named ?? {})) {
    const digest = parseDigest(`${algorithm}:${hex}`)
    if (digest !== undefined) return digest
  }
  throw new CountersignError('internal', 'a signature of ours names no digest')
}

/** The bytes that were signed as a statement or payload; `undefined` for a signature over the artifact itself. */
export function signedPayload(entity: SignedEntity): Uint8Array | undefined {
  const { content } = entity
  switch (content.kind) {
    case 'message':
      return undefined
    case 'dsse':
      return content.envelope.payload
    case 'simple-signing':
      return content.payload
    default:
      return unreachable(content)
  }
}

/** What our own signature must satisfy when it is read back: made by this key, over this digest; no log is asked for. */
export function ownPolicy(key: PublicKey): VerifyPolicy {
  const notDemanded = { kind: 'not_demanded' } as const
  return {
    signer: { kind: 'keys', keys: [{ key, label: 'the signing key' }] },
    content: { kind: 'any_content' },
    log: notDemanded,
    sct: notDemanded,
    signedTimestamp: notDemanded,
    claims: { kind: 'required' },
  }
}
