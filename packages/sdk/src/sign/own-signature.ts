/** What a signer makes: envelopes, bundles, and the hint at the key. */
import { bundleMediaType, serializeBundle } from '@countersign/core/bundle/serialize'
import type { Bundle, SignedContent, SignedEntity } from '@countersign/core/bundle/model'
import { type DsseEnvelope, inTotoPayloadType, preAuthEncoding } from '@countersign/core/dsse/envelope'
import { unreachable } from '@countersign/core/failure'
import { keyHint, type PublicKey } from '@countersign/core/keys/public-key'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { Signer } from './signer.ts'

/** Signs an in-toto statement: one signature, no `keyid` (DSSE protocol.md; cosign refuses a `keyid` with a plain key). */
export async function signStatement(statement: Uint8Array, signer: Signer): Promise<DsseEnvelope> {
  const sig = await signer.signMessage(preAuthEncoding(inTotoPayloadType, statement))
  return { payloadType: inTotoPayloadType, payload: statement, signatures: [{ sig }] }
}

/** A Sigstore bundle v0.3 of signed content, one line of JSON. */
export async function bundleOf(content: SignedContent, key: PublicKey): Promise<Uint8Array> {
  const bundle: Bundle = {
    version: '0.3',
    mediaType: bundleMediaType,
    material: { kind: 'public-key', hint: await keyHint(key, nodePrimitives) },
    logEntries: [],
    timestamps: [],
    content,
  }
  return serializeBundle(bundle)
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
