/** What the certificate authority needs from other rooms, in its own words. */
import type { SignedCertificateTimestamp } from '@countersign/core/x509/sct'

/** Publishes certificates before they are issued. */
export type CertificateLog = {
  /**
   * Resolves when the precertificate is in the log under a durable, published checkpoint. Rejects with `log_overloaded` (try later) or
   * `log_unavailable`: no certificate is issued then.
   */
  readonly publish: (precertificate: {
    /** The whole precertificate, DER. */
    readonly certificate: Uint8Array
    /** Its TBSCertificate without the poison. */
    readonly tbs: Uint8Array
    /** Certificates from the issuer to the root, DER: the same objects each time. */
    readonly chain: readonly Uint8Array[]
    /** SHA-256 of the issuer's SPKI. */
    readonly issuerKeyHash: Uint8Array
  }) => Promise<SignedCertificateTimestamp>
}
