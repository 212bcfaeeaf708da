/** What `/api/v2/configuration` tells about the issuers (fulcio.proto, `OIDCIssuer`). */
import type { Issuer, IssuerConfiguration } from '../issuers/model.ts'

/** The answer, JSON. */
export function describeConfiguration({ exact, meta }: IssuerConfiguration): string {
  const issuers = [
    ...[...exact.values()].map((issuer) => ({ issuerUrl: issuer.url, ...described(issuer) })),
    ...meta.map(({ pattern, settings }) => ({ wildcardIssuerUrl: pattern, ...described(settings) })),
  ]
  return JSON.stringify({ issuers })
}

function described({ audience, kind, challengeClaim }: Omit<Issuer, 'url' | 'from'>): Readonly<Record<string, string | boolean>> {
  return {
    audience,
    challengeClaim: challengeClaim ?? (kind.type === 'email' ? 'email' : 'sub'),
    issuerType: kind.type,
    ...(kind.type === 'spiffe' ? { spiffeTrustDomain: kind.trustDomain } : {}),
    ...(kind.type === 'uri' || kind.type === 'username' ? { subjectDomain: kind.subjectDomain } : {}),
    ...(kind.type === 'email' && kind.skipEmailVerification ? { skipEmailVerification: true } : {}),
  }
}
