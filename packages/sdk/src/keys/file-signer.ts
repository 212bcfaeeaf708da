/** The signer over a private key in memory. */
import { constants, privateEncrypt, randomBytes, sign, type SignKeyObjectInput } from 'node:crypto'
import { hashLength } from '@countersign/core/digest'
import { CountersignError, unreachable } from '@countersign/core/failure'
import { defaultAlgorithm, digestAlgorithmFor, type SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import { signEcdsaDigest, signEd25519phDigest } from '@countersign/core/keys/digest-signature'
import { ecdsaSignatureToDer, isEcKeyType } from '@countersign/core/keys/ecdsa-signature'
import { digestInfo } from '@countersign/core/keys/rsa-signature'
import { nodePrimitives } from '../crypto/node-primitives.ts'
import type { Signer } from '../sign/signer.ts'
import { type PrivateKey, readPkcs8, secretNumber } from './private-key.ts'

/**
 * Opens a signer over a private key (PKCS#8, DER, already decrypted; may be wiped after the call).
 *
 * Every signature is verified with the public key before it leaves: a fault while signing (a flipped bit, a key file whose halves do not
 * match) could otherwise publish the private key. Throws `key_malformed`, `key_unsupported`; signing throws `key_mismatch` when that check fails.
 */
export function openSigner(pkcs8: Uint8Array): Signer {
  return signerOf(readPkcs8(pkcs8))
}

/** The same over a key that was read. */
export function signerOf(key: PrivateKey): Signer {
  const { publicKey } = key
  const messageAlgorithm = defaultAlgorithm(publicKey)
  const digestAlgorithm = digestAlgorithmFor(publicKey)
  return {
    publicKey,
    messageAlgorithm,
    digestAlgorithm,
    signMessage: async (message) => {
      const signature = new Uint8Array(await signMessage(messageAlgorithm, key, message))
      if (!(await nodePrimitives.verify(messageAlgorithm, publicKey, message, signature))) throw faulty()
      return signature
    },
    signDigest: async (digest) => {
      if (digest.length !== hashLength[digestAlgorithm.hash]) {
        throw new CountersignError('internal', `a digest of ${digest.length} bytes`, { expected: digestAlgorithm.hash })
      }
      const signature = await signDigest(digestAlgorithm, key, digest)
      if (!(await nodePrimitives.verifyDigest(digestAlgorithm, publicKey, digest, signature))) throw faulty()
      return signature
    },
  }
}

/** On the thread pool: RSA and the larger curves take milliseconds. */
function signMessage(algorithm: SignatureAlgorithm, key: PrivateKey, message: Uint8Array): Promise<Buffer> {
  const hash = algorithm.scheme === 'ed25519' ? null : algorithm.hash
  const input: SignKeyObjectInput =
    algorithm.scheme === 'rsa-pkcs1v15' ? { key: key.handle, padding: constants.RSA_PKCS1_PADDING } : { key: key.handle }
  return new Promise((resolve, reject) => {
    sign(hash, message, input, (error, signature) => {
      if (error === null) resolve(signature)
      else reject(new CountersignError('internal', 'OpenSSL could not sign', { cause: error }))
    })
  })
}

async function signDigest(algorithm: SignatureAlgorithm, key: PrivateKey, digest: Uint8Array): Promise<Uint8Array> {
  switch (algorithm.scheme) {
    case 'rsa-pkcs1v15':
      return new Uint8Array(privateEncrypt({ key: key.handle, padding: constants.RSA_PKCS1_PADDING }, digestInfo(algorithm.hash, digest)))
    case 'ecdsa':
      if (!isEcKeyType(algorithm.key)) break
      return withSecret(key, async (scalar) =>
        ecdsaSignatureToDer(await signEcdsaDigest(algorithm.key as 'ec-p256', scalar, digest, randomBytes(32))),
      )
    case 'ed25519ph':
      return withSecret(key, (seed) => signEd25519phDigest(seed, digest))
    case 'ed25519':
    case 'rsa-pss':
      break
    default:
      return unreachable(algorithm.scheme)
  }
  throw new CountersignError('internal', `${algorithm.name} does not sign digests`)
}

async function withSecret(key: PrivateKey, use: (secret: Uint8Array) => Promise<Uint8Array>): Promise<Uint8Array> {
  const secret = secretNumber(key)
  try {
    return await use(secret)
  } finally {
    secret.fill(0)
  }
}

function faulty(): CountersignError {
  return new CountersignError('key_mismatch', 'the signature just made does not verify with the public key; it was thrown away', {
    hint: 'The two halves of the key do not belong together, or this machine computes wrongly.',
  })
}
