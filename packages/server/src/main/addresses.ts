/** Where each service is under the public URL, and what is named after it. */

/** Addresses and names that come from one public URL. */
export type ServiceAddresses = {
  readonly fulcio: string
  /** Version 1. */
  readonly rekor: string
  readonly rekor2: string
  readonly ct: string
  /** The whole endpoint, as clients want it. */
  readonly tsa: string
  readonly tuf: string
  readonly kit: string
  /** Where other logs ask us to cosign. */
  readonly witness: string
  readonly oidc: string
  /** Host name of the public URL: origin of the Rekor v2 log (clients compare it with the host of the log's URL), operator in the trusted root. */
  readonly host: string
}

/** The addresses under a public URL, which has no slash at its end. */
export function serviceAddresses(publicUrl: string): ServiceAddresses {
  return {
    fulcio: `${publicUrl}/fulcio`,
    rekor: `${publicUrl}/rekor`,
    rekor2: `${publicUrl}/rekor2`,
    ct: `${publicUrl}/ct`,
    tsa: `${publicUrl}/tsa/api/v1/timestamp`,
    tuf: `${publicUrl}/tuf`,
    kit: `${publicUrl}/kit`,
    witness: `${publicUrl}/witness`,
    oidc: `${publicUrl}/oidc`,
    host: new URL(publicUrl).hostname,
  }
}
