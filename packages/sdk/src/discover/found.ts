/** What discovery hands out. */
import type { CountersignError } from '@countersign/core/failure'
import type { SignedEntity } from '@countersign/core/bundle/model'
import type { Digest } from '@countersign/core/digest'
import type { ImageIndex, ImageManifest } from '@countersign/core/oci/model'
import type { ReferrersAnswer } from '../registry/repository.ts'
import type { SignatureOrigin } from '../verify/requests.ts'
import type { Source } from './sources.ts'

/** One signature or attestation as found. What is listed but cannot be parsed is kept as such: tampering is not "unsigned". */
export type FoundEntity = {
  readonly origin: SignatureOrigin
  /** Media type of the blob, as the manifest that holds it says. */
  readonly mediaType: string
  /** As stored: the bundle, the simple-signing payload, or the DSSE envelope; empty when it could not be read. */
  readonly bytes: Uint8Array
  /** Annotations of the layer; legacy layouts keep signature and certificate there. */
  readonly annotations: Readonly<Record<string, string>>
  readonly parsed: { readonly ok: true; readonly entity: SignedEntity } | { readonly ok: false; readonly failure: CountersignError }
}

/** A manifest that something listed and that was read, whether or not it holds a signature. */
export type FoundManifest = {
  readonly manifest: ImageManifest | ImageIndex
  readonly mediaType: string
  /** Bytes. */
  readonly size: number
  readonly sources: readonly Source[]
}

/** Everything found for one subject, and what could not be read. */
export type Discovery = {
  readonly found: readonly FoundEntity[]
  /** Places that may hold more: network, registry, a limit. While this is not empty, "nothing found" is "could not tell". */
  readonly unreadable: readonly CountersignError[]
  /** Every manifest that was read on the way. */
  readonly manifests: ReadonlyMap<Digest, FoundManifest>
  /** Whether the store has the referrers API; absent when it did not answer. */
  readonly referrers?: ReferrersAnswer['kind']
}
