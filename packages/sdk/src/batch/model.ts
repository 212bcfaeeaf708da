/** What a run over many artifacts consists of, before anything of it is fetched or verified. */
import type { Digest } from '@countersign/core/digest'
import type { CountersignError } from '@countersign/core/failure'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { IdentityMatch } from '@countersign/core/verify/policy'

/** Where an artifact is mentioned. Lines and columns count from 1. */
export type Mention = {
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** Where in the structure, e.g. `spec.containers[0].image`. */
  readonly path?: string
}

/** What an entry says of who must have signed, and how it is checked; what it leaves open is for the whole run to say. */
export type ItemDemands = {
  /** A policy file. */
  readonly policy?: string
  /** A trusted root. */
  readonly trustRoot?: string
  /** References of public keys: any of them suffices. */
  readonly publicKeys?: readonly string[]
  /** Who must be named in the certificate. */
  readonly identity?: IdentityMatch
}

/** Where the signatures of a file are. */
export type EvidenceSource =
  /** Bundles or detached signatures in files: their content decides. Any of them suffices; a policy sees them all. */
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  /** Not said: in the files beside it, `FILE.sigstore.json`, `.bundle` or `.sig`. */
  | { readonly kind: 'beside' }

type Common = {
  /** As mentioned; names the item in messages and in the report. */
  readonly subject: string
  readonly at?: Mention
  readonly demands: ItemDemands
}

/** An image, and the evidence where it is not in the registry. */
export type ContainerItem = Common & {
  readonly kind: 'container'
  readonly image: ImageReference
  readonly evidence?: string
  /** `os/architecture[/variant]`, where it is one of several that an index lists. */
  readonly platform?: string
  /** All that the index lists: what a rule of a policy about platforms asks of. */
  readonly platforms?: readonly string[]
}

/** A list of digests. Its bytes are what was read once: what is proven of them holds for the digests that were taken from them. */
export type ChecksumList = {
  readonly path: string
  readonly bytes: Uint8Array
  /** The signatures of the list itself; without them each file that it names needs its own. */
  readonly evidence?: readonly string[]
}

/** A file of this machine. */
export type FileItem = Common & {
  readonly kind: 'file'
  readonly path: string
  readonly evidence: EvidenceSource
  /** The digest that a list gives it: what was read must have it, whoever signed. */
  readonly listed?: { readonly digest: Digest; readonly list: ChecksumList }
  /** The item is such a list itself. */
  readonly bytes?: Uint8Array
}

/** One artifact of a run, or what stands in its place where there is nothing to verify. */
export type BatchItem =
  | ContainerItem
  | FileItem
  | (Common & { readonly kind: 'failed'; readonly type: string; readonly failure: CountersignError })
  | (Common & { readonly kind: 'skipped'; readonly type: string; readonly reason: string })

/** What a file that lists artifacts is. */
export type BatchFileKind = 'batch' | 'checksums' | 'images' | 'kubernetes' | 'compose' | 'dockerfile' | 'helm-values'

/** Most artifacts of one run; more is `limit_exceeded`. */
export const maxBatchItems: number = 100_000

/** Types of artifacts that batch files name and that are not verified here: each is one failed item. */
export const otherTypes: readonly string[] = ['git', 'npm', 'pypi', 'maven', 'helm', 'jar', 'pe', 'rpm', 'deb', 'model', 'sbom']
