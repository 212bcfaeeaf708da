/**
 * The one small door through which cryptography enters: core computes no hash and no signature itself.
 *
 * Two implementations pass the same vectors: `webPrimitives` (WebCrypto, browser and Node) and the SDK's `nodePrimitives` (OpenSSL).
 */
import type { HashAlgorithm } from './digest.ts'
import type { PublicKey, SignatureAlgorithm } from './keys/model.ts'

/** A value or a promise of it: OpenSSL answers at once, WebCrypto does not. */
export type Awaitable<T> = T | Promise<T>

/** An incremental hash: feed any number of chunks, then ask once. */
export type Hasher = {
  update(chunk: Uint8Array): void
  /** The hash of everything fed so far; ends the hasher. */
  digest(): Uint8Array
}

/** Hashes and signature verification. No method throws on a wrong signature or an encoding error inside one: the answer is `false`. */
export type Primitives = {
  readonly hash: (algorithm: HashAlgorithm, data: Uint8Array) => Awaitable<Uint8Array>
  readonly hasher: (algorithm: HashAlgorithm) => Awaitable<Hasher>
  /** Verifies a signature over a whole message. */
  readonly verify: (algorithm: SignatureAlgorithm, key: PublicKey, message: Uint8Array, signature: Uint8Array) => Awaitable<boolean>
  /**
   * Verifies a signature over the message's digest, made with `algorithm.hash`. Pure Ed25519 signs no digest: the answer is `false`.
   */
  readonly verifyDigest: (algorithm: SignatureAlgorithm, key: PublicKey, digest: Uint8Array, signature: Uint8Array) => Awaitable<boolean>
}
