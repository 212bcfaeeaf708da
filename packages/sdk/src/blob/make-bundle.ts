/** Makes and upgrades bundles from what signers published in other forms. */
import { fromUtf8 } from '@countersign/core/bytes'
import { isLegacyBundle } from '@countersign/core/bundle/legacy'
import { serializeBundle } from '@countersign/core/bundle/serialize'
import { upgradeEntity } from '@countersign/core/bundle/upgrade'
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { parseJson, type JsonObject, maxDocumentBytes } from '@countersign/core/json/parse'
import { keyHint, parsePublicKey, parsePublicKeyPem, type PublicKey } from '@countersign/core/keys/public-key'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { Verification } from '@countersign/core/verify/evidence'
import { requiredHashes } from '@countersign/core/verify/verify'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import { ownPolicy } from '../sign/own-signature.ts'
import type { BlobSource } from '../sign/requests.ts'
import { type DetachedParts, readBlobEntity } from './evidence-file.ts'
import { hashSource } from './hash.ts'
import { verifyBlob } from './verify.ts'

/** What a bundle is made of. */
export type MakeBundleRequest = DetachedParts & {
  /** A bundle of any version, cosign's legacy bundle, a DSSE envelope, or a detached signature; content decides. */
  readonly evidence: Uint8Array
  /** The file that was signed. */
  readonly artifact?: BlobSource
  /** The signer's public key: for the hint, and to verify the result. */
  readonly key?: PublicKey
  /** Holds the intermediates that a bundle v0.3 has no room for. */
  readonly trustedRoot?: TrustedRoot
  readonly nowMs: number
}

/** A bundle v0.3, and whether it verifies: absent when neither key nor certificate, or no artifact, was there to verify it with. */
export type MadeBundle = { readonly bundle: Uint8Array; readonly verification?: Verification }

/**
 * A bundle v0.3 with everything that the evidence holds. Throws `not_supported` for what the format cannot hold, `bundle_malformed` and
 * `dsse_malformed`; a bundle that does not verify is given with its refusal, for the caller to throw away.
 *
 * @example
 * ```ts
 * const artifact = fileBlobSource('release.tar.gz')
 * const made = await makeBundle({ evidence: bytes, artifact, key: signer.publicKey, nowMs: Date.now() })
 * if (made.verification?.ok === true) console.log(new TextDecoder().decode(made.bundle))
 * ```
 */
export async function makeBundle(request: MakeBundleRequest): Promise<MadeBundle> {
  const { evidence, artifact, trustedRoot } = request
  const entity = readBlobEntity(evidence, request)
  const key = request.key ?? certifiedKey(entity)
  const digest = artifact === undefined ? undefined : await hashOf(artifact, entity, key)
  const hint = await hintFor(request.key, evidence)
  const upgraded = upgradeEntity(entity, {
    ...(digest === undefined ? {} : { digest }),
    ...(hint === undefined ? {} : { hint }),
    issuers: trustedRoot === undefined ? [] : issuersIn(trustedRoot),
  })
  const bundle = serializeBundle(upgraded)
  // A pure Ed25519 signature is verified over the file itself; what can be read once only has been read.
  const again = artifact?.repeatable === true ? artifact : digest
  if (key === undefined || again === undefined) return { bundle }
  const verification = await verifyBlob({ artifact: again, evidence: bundle, policy: ownPolicy(key), nowMs: request.nowMs })
  return { bundle, verification }
}

/** Of the certificate in the evidence; it proves that the parts belong together, not who the signer is. */
function certifiedKey({ material }: SignedEntity): PublicKey | undefined {
  return material.kind === 'certificate' ? parsePublicKey(parseCertificate(material.chain[0]).spki) : undefined
}

/** In the hash function of the key, where one is known; else in the one that nearly all signatures use. */
async function hashOf(artifact: BlobSource, entity: SignedEntity, key: PublicKey | undefined): Promise<Digest | undefined> {
  const [algorithm = 'sha256'] = key === undefined ? [] : requiredHashes(entity, ownPolicy(key))
  return hashSource(artifact, algorithm)
}

/** A hint decides nothing: whoever verifies brings the key. That of a legacy bundle is of the key that it names. */
async function hintFor(key: PublicKey | undefined, evidence: Uint8Array): Promise<string | undefined> {
  const named = key ?? keyInLegacyBundle(evidence)
  return named === undefined ? undefined : keyHint(named, nodePrimitives)
}

function keyInLegacyBundle(evidence: Uint8Array): PublicKey | undefined {
  if (evidence[0] !== 0x7b || !isLegacyBundle(evidence)) return undefined
  const { cert } = parseJson(evidence, { maxBytes: maxDocumentBytes }) as JsonObject
  if (typeof cert !== 'string') return undefined
  const pem = cert.startsWith('-----BEGIN ') ? cert : fromUtf8(Buffer.from(cert, 'base64'))
  return pem.includes('PUBLIC KEY') ? parsePublicKeyPem(pem) : undefined
}

function issuersIn({ certificateAuthorities }: TrustedRoot): readonly Uint8Array[] {
  return certificateAuthorities.flatMap(({ certificates }) => certificates)
}
