/** What the registry says to clients: Sigstore's trusted root and signing config, generated from every instance that ever was. */
import type { AuthorityInstance, LogInstance, TimeRange, TrustedRoot } from '@countersign/core/trust/model'
import type { SigningConfig, SigningService } from '@countersign/core/trust/signing-config'
import { defaultAlgorithm } from '@countersign/core/keys/algorithm'
import { noteKeyId } from '@countersign/core/note/key-id'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { hashBytes, serverPrimitives } from '../base/crypto/primitives.ts'
import type { TrustInstance, InstanceRole } from './instances.ts'

/** The trusted root: all instances, those that have ended with their end, so that what they signed stays valid. */
export async function trustedRootOf(instances: readonly TrustInstance[]): Promise<TrustedRoot> {
  const logs = (...roles: readonly InstanceRole[]): Promise<LogInstance[]> =>
    Promise.all(instances.filter(({ role }) => roles.includes(role)).flatMap(logOf))
  return {
    logs: await logs('rekor1', 'rekor2'),
    certificateAuthorities: instances.filter(({ role }) => role === 'ca').flatMap(authorityOf),
    ctLogs: await logs('ct'),
    timestampAuthorities: instances.filter(({ role }) => role === 'tsa').flatMap(authorityOf),
  }
}

function logOf(instance: TrustInstance): Promise<LogInstance>[] {
  if (instance.anchor.kind !== 'key') return []
  const { publicKey } = instance.anchor
  const { url: baseUrl, validFor, role } = instance
  const log = async (): Promise<LogInstance> => ({
    baseUrl,
    hashAlgorithm: 'sha256',
    publicKey,
    algorithm: defaultAlgorithm(publicKey).name,
    validFor,
    // Rekor v2: the C2SP key id under the origin, which is the host name alone; v1 and CT: SHA-256 of the key (RFC 6962 §3.2).
    logId:
      role === 'rekor2' ? await noteKeyId(serverPrimitives, new URL(baseUrl).hostname, publicKey) : hashBytes('sha256', publicKey.spki),
  })
  return [log()]
}

function authorityOf({ anchor, url, operator, validFor }: TrustInstance): AuthorityInstance[] {
  if (anchor.kind !== 'chain') return []
  const { certificates } = anchor
  const { subject } = parseCertificate(certificates.at(-1) as Uint8Array)
  return [{ organization: operator, commonName: subject.commonName ?? '', uri: url, certificates, validFor }]
}

/**
 * The signing config: every service with its validity, each URL once; clients leave out what has ended. Without a service of a kind, its list
 * is empty.
 */
export function signingConfigOf(instances: readonly TrustInstance[]): SigningConfig {
  const services = (role: InstanceRole, majorApiVersion: number): readonly SigningService[] => {
    const byUrl = new Map<string, SigningService>()
    for (const { url, operator, validFor } of instances.filter((each) => each.role === role)) {
      const known = byUrl.get(url)
      // A rotation changes the key behind a URL, not the service: what clients cached of it stays true.
      byUrl.set(url, { url, majorApiVersion, operator, validFor: known === undefined ? validFor : union(known.validFor, validFor) })
    }
    return [...byUrl.values()]
  }
  return {
    caUrls: services('ca', 1),
    oidcUrls: services('oidc', 1),
    logUrls: [...services('rekor2', 2), ...services('rekor1', 1)],
    logSelector: { kind: 'any' },
    timestampUrls: services('tsa', 1),
    timestampSelector: { kind: 'any' },
  }
}

function union(a: TimeRange, b: TimeRange): TimeRange {
  const start = Math.min(a.start, b.start)
  return a.end === undefined || b.end === undefined ? { start } : { start, end: Math.max(a.end, b.end) }
}
