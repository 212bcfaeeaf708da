/** Image references: `registry/repo[:tag][@digest]`, `oci:DIR[:tag|@digest]`, `oci-archive:FILE[:tag|@digest]`. */
import type { Digest } from '../digest.ts'

/** Where an image lives and which one is meant. A digest, where given, always wins over the tag. */
export type ImageReference = {
  readonly place:
    | { readonly kind: 'registry'; readonly registry: string; readonly repository: string }
    | { readonly kind: 'layout'; readonly directory: string }
    | { readonly kind: 'archive'; readonly file: string }
  readonly tag?: string
  readonly digest?: Digest
}
