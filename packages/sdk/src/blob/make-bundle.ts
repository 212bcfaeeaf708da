/** Makes and upgrades bundles from what signers published in other forms. */
import { fromUtf8 } from '@countersign/core/bytes'
import { isLegacyBundle } from '@countersign/core/bundle/legacy'
import { serializeBundle } from '@countersign/core/bundle/serialize'
import { upgradeEntity } from '@countersign/core/bundle/upgrade'
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJson, type JsonObject, maxDocumentBytes } from '@countersign/core/json/parse'
import { algorithmByName } from '@countersign/core/keys/algorithm'
import { readEcdsaSignature } from '@countersign/core/keys/ecdsa-signature'
import type { AlgorithmName } from '@countersign/core/keys/model'
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
  demandSignature(entity, evidence)
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

/** A file of no known form is taken for a raw signature; where nothing verifies it, any bytes would become a bundle. */
function demandSignature({ content }: SignedEntity, evidence: Uint8Array): void {
  if (content.kind !== 'message' || content.signature !== evidence || hasSignatureForm(evidence)) return
  throw new CountersignError('bundle_malformed', `${evidence.length} bytes are neither a bundle nor a signature`, {
    expected: 'a bundle, an envelope, or a signature in base64 or as it is',
    hint: 'Name the bundle or signature file, not the artifact.',
  })
}

/** Ed25519 has 64 bytes, RSA as many as its modulus, which is of 2048 to 4096 bits; ECDSA is DER. */
function hasSignatureForm(bytes: Uint8Array): boolean {
  if (bytes.length === 64 || (bytes.length >= 256 && bytes.length <= 512)) return true
  return ecdsaNames.some((name) => {
    const algorithm = algorithmByName(name)
    return algorithm !== undefined && readEcdsaSignature(algorithm, bytes) !== undefined
  })
}

const ecdsaNames: readonly AlgorithmName[] = ['PKIX_ECDSA_P256_SHA_256', 'PKIX_ECDSA_P384_SHA_384', 'PKIX_ECDSA_P521_SHA_512']

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
