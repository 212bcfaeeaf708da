/** A private key of one role, wherever it is: sealed file, PKCS#11 token. It signs and never leaves. */
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import type { Awaitable } from '@countersign/core/primitives'

/** A key with one purpose. Keys are never shared between roles. */
export type RoleKey = {
  /** Unique in the installation: role and number, as `rekor2-1`, `ca-intermediate-2`. */
  readonly name: string
  readonly publicKey: PublicKey
  /** How `sign` signs; ECDSA signatures are ASN.1 DER. */
  readonly algorithm: SignatureAlgorithm
  /** Signs a whole message. Rejects with `signer_unavailable` when the key cannot be reached. */
  readonly sign: (message: Uint8Array) => Awaitable<Uint8Array>
}

/** Kinds of keys that the services make. */
export type RoleKeyType = 'ec-p256' | 'ec-p384' | 'ed25519' | 'rsa-2048' | 'rsa-3072'

/** Where the keys of this installation are. */
export type KeyStore = {
  /** Makes a key; durable when it resolves. Refuses with `key_exists` when the name is taken. */
  readonly create: (name: string, type: RoleKeyType) => Promise<RoleKey>
  /** Opens a key. Fails with `key_missing` when it does not exist (never makes a new one), `key_password_wrong` when it does not open. */
  readonly open: (name: string) => Promise<RoleKey>
  /** Names of all keys. */
  readonly names: () => Promise<readonly string[]>
  /** Takes the private key out, PKCS#8 DER: for export, for the OpenID provider, which signs by itself. Refused with `key_not_exportable` on tokens. */
  readonly exportPrivateKey: (name: string) => Promise<Uint8Array>
  /** Removes the private key (a root that goes offline); its public key stays on record. */
  readonly remove: (name: string) => Promise<void>
}

/** Seals small secrets (cookie keys, one-time password seeds) under the installation's passphrase. `context` is authenticated with them. */
export type SecretBox = {
  readonly seal: (context: string, secret: Uint8Array) => Uint8Array
  /** Fails with `secret_damaged` on other bytes, another context or another installation. */
  readonly open: (context: string, sealed: Uint8Array) => Uint8Array
}
