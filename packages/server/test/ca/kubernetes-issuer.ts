/** An issuer as a configuration makes it of a cluster. */
import type { Issuer } from '../../src/ca/issuers/model.ts'

/** Knows nothing of the cluster but where it is. */
export function kubernetesIssuer(url: string, from: Issuer['from']): Issuer {
  return {
    url,
    audience: 'sigstore',
    kind: { type: 'kubernetes' },
    challengeClaim: undefined,
    caCertificates: undefined,
    staticKeys: undefined,
    from,
  }
}
