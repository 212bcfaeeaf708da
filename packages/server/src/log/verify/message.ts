/** What the threads say to each other. */
import type { PublicKey, SignatureAlgorithm } from '@countersign/core/keys/model'

/** One signature over one digest. */
export type VerifyJob = {
  readonly id: number
  readonly algorithm: SignatureAlgorithm
  readonly key: PublicKey
  readonly digest: Uint8Array
  readonly signature: Uint8Array
}

/** What became of it. */
export type VerifyResult = { readonly id: number; readonly holds: boolean }
