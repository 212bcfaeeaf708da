/** What somebody asks a log to record: a signature over a digest, and who made it. */
import type { PublicKey, SignatureAlgorithm } from '../keys/model.ts'
import type { Certificate } from '../x509/certificate.ts'

/** The signer as the entry names it. `key` is the certificate's own where there is one. */
export type EntrySigner =
  | {
      readonly kind: 'certificate'
      readonly certificate: Certificate
      readonly key: PublicKey
      /** What the entry keeps behind it, DER; nothing says that the certificate chains to it. */
      readonly chain?: readonly Uint8Array[]
    }
  | { readonly kind: 'public-key'; readonly key: PublicKey }

/** An entry, read and found sound; the signature is not verified yet. */
export type ProposedEntry = {
  readonly algorithm: SignatureAlgorithm
  /** As long as the algorithm's hash gives. */
  readonly digest: Uint8Array
  readonly signature: Uint8Array
  readonly signer: EntrySigner
}
