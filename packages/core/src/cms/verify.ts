/** Verifies the signature in a SignedData under a certificate that the caller trusts (RFC 5652 §5.4, §5.6). */
import { equalBytes } from '../bytes.ts'
import { readOctetString, readOid } from '../der/reader.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../keys/public-key.ts'
import type { Primitives } from '../primitives.ts'
import { algorithmOfScheme, hashOfIdentifier, signatureAlgorithmOf } from '../x509/algorithm-identifier.ts'
import type { Certificate } from '../x509/certificate.ts'
import { algorithmOid } from '../x509/oids.ts'
import { cmsOid } from './oids.ts'
import { singleValue, type SignedData, type SignerIdentifier, type SignerInfo } from './signed-data.ts'

const setIdentifier = 0x31

/** Whether the signature holds, or in words why not. */
export type SignatureResult = { readonly ok: true } | { readonly ok: false; readonly detail: string }

/** Whether a SignerInfo names this certificate. The name is a claim: only the signature proves who signed. */
export function isNamedSigner(identifier: SignerIdentifier, certificate: Certificate): boolean {
  if (identifier.kind === 'key-id') {
    return certificate.subjectKeyId !== undefined && equalBytes(identifier.keyId, certificate.subjectKeyId)
  }
  return equalBytes(identifier.issuer, certificate.issuer.raw) && equalBytes(identifier.serial, certificate.serial)
}

/**
 * Verifies the signature over `content` (the encapsulated content, or the detached one) under the certificate's key. Signed attributes,
 * where present, must name the content's type and digest. Says nothing about whether the certificate is trusted.
 */
export async function verifySignedData(input: {
  readonly signedData: SignedData
  readonly content: Uint8Array
  readonly certificate: Certificate
  readonly primitives: Primitives
}): Promise<SignatureResult> {
  const { signedData, content, certificate, primitives } = input
  const { signer } = signedData
  const hash = hashOfIdentifier(signer.digestAlgorithm)
  if (hash === undefined) return refused(`the digest algorithm ${signer.digestAlgorithm.oid} is not supported`)
  const key = readKey(certificate)
  if (key === undefined) return refused('the key of the signer is not supported')
  const algorithm = readAlgorithm(signer, key, hash)
  if (algorithm === undefined) return refused(`the signature algorithm ${signer.signatureAlgorithm.oid} does not fit the key or the digest`)
  // Hostile: the signed attributes of one message, presented as the content of another that has none, bear a valid signature.
  if (!signer.signedAttributes && content[0] === setIdentifier) return refused('the content reads as signed attributes')
  const problem = signer.signedAttributes && (await attributeProblem(signedData, hash, content, primitives))
  if (problem !== undefined) return refused(problem)
  const signed = signer.signedAttributes?.der ?? content
  return (await primitives.verify(algorithm, key, signed, signer.signature)) ? { ok: true } : refused('the signature is wrong')
}

/** RFC 5652 §5.3: with signed attributes, the content is bound by its type and its digest alone. */
async function attributeProblem(
  signedData: SignedData,
  hash: HashAlgorithm,
  content: Uint8Array,
  primitives: Primitives,
): Promise<string | undefined> {
  const attributes = signedData.signer.signedAttributes?.values
  const contentType = readable(() => readOid(singleValue(attributes, cmsOid.contentType)))
  if (contentType !== signedData.contentType) return 'the signed content type is missing or another'
  const digest = readable(() => readOctetString(singleValue(attributes, cmsOid.messageDigest)))
  if (digest === undefined) return 'the signed message digest is missing'
  return equalBytes(digest, await primitives.hash(hash, content)) ? undefined : 'the content is not what was signed'
}

/**
 * RFC 5754 §3: the signature algorithm names the hash again, or is the bare key type. A different hash there is refused: the digest that
 * binds the content must be the one that is signed. Ed25519 hashes by itself; RFC 8419 §2.3 then asks for SHA-512 as the digest, but any that
 * is accepted binds the content as well.
 */
function readAlgorithm(signer: SignerInfo, key: PublicKey, hash: HashAlgorithm): SignatureAlgorithm | undefined {
  const identifier = signer.signatureAlgorithm
  if (identifier.oid === algorithmOid.rsaEncryption) return algorithmOfScheme(key, 'rsa-pkcs1v15', hash)
  if (identifier.oid === algorithmOid.ecPublicKey) return algorithmOfScheme(key, 'ecdsa', hash)
  const algorithm = readable(() => signatureAlgorithmOf(identifier, key))
  return algorithm?.scheme === 'ed25519' || algorithm?.hash === hash ? algorithm : undefined
}

function readKey(certificate: Certificate): PublicKey | undefined {
  return readable(() => parsePublicKey(certificate.spki))
}

/** What cannot be read refuses the signature; it does not stop the verification. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

function refused(detail: string): SignatureResult {
  return { ok: false, detail }
}
