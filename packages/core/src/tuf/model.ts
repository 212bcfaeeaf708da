/** The metadata of a TUF repository (TUF specification 1.0.31 §4), as far as ours has it: four roles, no delegations. */
import type { JsonObject } from '../json/parse.ts'
import type { PublicKey } from '../keys/public-key.ts'

/** The four top-level roles. */
export const tufRoles = ['root', 'targets', 'snapshot', 'timestamp'] as const

/** One of the four. */
export type TufRole = (typeof tufRoles)[number]

/** A key as metadata names it: ECDSA P-256 with SHA-256. */
export type TufKey = {
  /** SHA-256 of the key's canonical JSON, hex. */
  readonly id: string
  readonly publicKey: PublicKey
}

/** Whose signatures a role needs, and how many of them. */
export type TufRoleKeys = { readonly keys: readonly TufKey[]; readonly threshold: number }

/** What a root says (§4.3). */
export type TufRoot = {
  readonly version: number
  /** Unix milliseconds; metadata counts until then. Whole seconds are written. */
  readonly expiresMs: number
  readonly roles: Readonly<Record<TufRole, TufRoleKeys>>
}

/** A file that a repository distributes. */
export type TufTarget = {
  readonly length: number
  /** Hex. */
  readonly sha256: string
  /** What Sigstore's older clients read: `{"sigstore": {"usage": …, "status": …, "uri": …}}`. */
  readonly custom?: JsonObject
}

/** One signature of metadata: the key's id, and the signature in hex. */
export type TufSignature = { readonly keyId: string; readonly signature: string }

/** Metadata of any role, parsed; nothing is verified. */
export type TufMetadata = {
  readonly role: TufRole
  readonly version: number
  readonly expiresMs: number
  /** The part that is signed. */
  readonly content: JsonObject
  readonly signatures: readonly TufSignature[]
}
