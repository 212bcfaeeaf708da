/** A finished signature as transparency logs take it. */
import type { SignedContent, VerificationMaterial } from '@countersign/core/bundle/model'
import { digestAlgorithm, digestBytes, type HashAlgorithm } from '@countersign/core/digest'
import { preAuthEncoding, serializeEnvelope } from '@countersign/core/dsse/envelope'
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { nodePrimitives } from '../crypto/node-primitives.ts'

/** What was signed, by whom, how. */
export type LoggableSignature = {
  readonly content: SignedContent
  readonly publicKey: PublicKey
  /** DER; absent when the key stands for itself. */
  readonly certificate?: Uint8Array
  readonly algorithm: SignatureAlgorithm
}

/** The digest that the signature is over, and the signature, raw. */
export type SignedDigest = { readonly hash: HashAlgorithm; readonly digest: Uint8Array; readonly signature: Uint8Array }

/** Reduces content to a digest: a message by its own, an envelope by that of its pre-authentication encoding. */
export async function signedDigest({ content, algorithm }: Pick<LoggableSignature, 'content' | 'algorithm'>): Promise<SignedDigest> {
  switch (content.kind) {
    case 'message': {
      const { claimedDigest, signature } = content
      if (claimedDigest === undefined) throw new CountersignError('internal', 'a signature of ours claims no digest')
      return { hash: digestAlgorithm(claimedDigest), digest: digestBytes(claimedDigest), signature }
    }
    case 'dsse': {
      const { payloadType, payload } = content.envelope
      const digest = await nodePrimitives.hash(algorithm.hash, preAuthEncoding(payloadType, payload))
      return { hash: algorithm.hash, digest, signature: envelopeSignature(content) }
    }
    case 'simple-signing':
      return {
        hash: algorithm.hash,
        digest: await nodePrimitives.hash(algorithm.hash, content.payload),
        signature: content.signature,
      }
    default:
      return unreachable(content)
  }
}

/** The raw bytes that a timestamp authority stamps: the signature, of an envelope its only one. */
export function signatureBytes(content: SignedContent): Uint8Array {
  return content.kind === 'dsse' ? envelopeSignature(content) : content.signature
}

/** The envelope as a log keeps it. */
export function envelopeText({ envelope }: Extract<SignedContent, { kind: 'dsse' }>): string {
  return new TextDecoder().decode(serializeEnvelope(envelope))
}

/** What a log calls the verifier: certificate or public key. */
export function verifierMaterial({ certificate, publicKey }: Pick<LoggableSignature, 'certificate' | 'publicKey'>): VerificationMaterial & {
  readonly der: Uint8Array
} {
  return certificate === undefined
    ? { kind: 'public-key', der: publicKey.spki }
    : { kind: 'certificate', chain: [certificate], der: certificate }
}

function envelopeSignature({ envelope }: Extract<SignedContent, { kind: 'dsse' }>): Uint8Array {
  const [signature, ...more] = envelope.signatures
  if (signature === undefined || more.length > 0) throw new CountersignError('internal', 'an envelope of ours has one signature')
  return signature.sig
}
