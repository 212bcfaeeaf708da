/** Keys of every kind that signs certificates, for tests. */
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { defaultAlgorithm } from '../../src/keys/algorithm.ts'
import { parsePublicKey, type PublicKey } from '../../src/keys/public-key.ts'
import type { CertificateSigner } from '../../src/x509/build.ts'

/** A key and how it signs. */
export type Pair = { readonly key: PublicKey; readonly signer: CertificateSigner }

/** Kinds of keys. */
export type PairType = 'P-256' | 'P-384' | 'ed25519' | 'rsa'

/** A fresh key. */
export function newPair(type: PairType): Pair {
  const { privateKey, publicKey } = pairOf(type)
  const key = parsePublicKey(new Uint8Array(publicKey.export({ type: 'spki', format: 'der' })))
  const algorithm = defaultAlgorithm(key)
  const hash = key.type === 'ed25519' ? null : algorithm.hash
  return { key, signer: { algorithm, sign: (message) => new Uint8Array(sign(hash, message, privateKey)) } }
}

function pairOf(type: PairType): { privateKey: KeyObject; publicKey: KeyObject } {
  if (type === 'ed25519') return generateKeyPairSync('ed25519')
  return type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: type })
}
