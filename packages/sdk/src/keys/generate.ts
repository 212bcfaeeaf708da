/** New key pairs. */
import { generateKeyPair as generate, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { encryptPrivateKey } from './encrypted-key.ts'
import { ofHandle, type PrivateKey, toPkcs8 } from './private-key.ts'

/** The kinds of keys that can be made. */
export type GeneratedKeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096' | 'ed25519'

/** All of them, the default first. */
export const generatedKeyTypes: readonly GeneratedKeyType[] = [
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'rsa-2048',
  'rsa-3072',
  'rsa-4096',
  'ed25519',
]

/** A key pair as files hold it. */
export type KeyPairPem = {
  /** `ENCRYPTED SIGSTORE PRIVATE KEY`, which cosign reads too. */
  readonly privatePem: string
  /** `PUBLIC KEY`. */
  readonly publicPem: string
}

/** Makes a key pair. The password may be empty, which cosign allows and which protects nothing. */
export async function generateKeyPair(request: { readonly type: GeneratedKeyType; readonly password: Uint8Array }): Promise<KeyPairPem> {
  return toPem(ofHandle(await newKey(request.type)), request.password)
}

/** A private key and its public half as PEM, the private one encrypted. */
export async function toPem(key: PrivateKey, password: Uint8Array): Promise<KeyPairPem> {
  const pkcs8 = toPkcs8(key)
  const privatePem = await encryptPrivateKey(pkcs8, password)
  pkcs8.fill(0)
  return { privatePem, publicPem: encodePublicKeyPem(key.publicKey) }
}

async function newKey(type: GeneratedKeyType): Promise<KeyObject> {
  const make = promisify(generate)
  const [kind, size] = type.split('-')
  if (kind === 'ecdsa') return (await make('ec', { namedCurve: `P-${(size as string).slice(1)}` })).privateKey
  if (kind === 'rsa') return (await make('rsa', { modulusLength: Number(size), publicExponent: 65_537 })).privateKey
  return (await make('ed25519')).privateKey
}
