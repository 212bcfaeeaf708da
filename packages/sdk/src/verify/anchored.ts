/** The trusted root of a verification, and what a run has computed about the certificates below it. */
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { CertificateCache } from '@countersign/core/verify/certificate-cache'

/** What a request says of trust. */
export type Anchored = {
  readonly trustedRoot?: TrustedRoot
  /** For verifying many with one trusted root, see `createCertificateCache`. */
  readonly certificateCache?: CertificateCache
}

/** Just that part of a request, for the next one. */
export function anchoredAs({ trustedRoot, certificateCache }: Anchored): Anchored {
  return { ...(trustedRoot === undefined ? {} : { trustedRoot }), ...(certificateCache === undefined ? {} : { certificateCache }) }
}
