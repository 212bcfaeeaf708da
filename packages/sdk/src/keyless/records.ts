/** Asks the services of a signing config what they say of a signature. */
import type { SignedContent, SignedEntity, TransparencyLogEntry } from '@countersign/core/bundle/model'
import type { SignatureAlgorithm } from '@countersign/core/keys/algorithm'
import type { PublicKey } from '@countersign/core/keys/public-key'
import { selectServices, type SigningConfig, type SigningService } from '@countersign/core/trust/signing-config'
import type { HttpClient } from '../http/client.ts'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { signatureBytes } from '../services/loggable.ts'
import { logInRekor1 } from '../services/rekor1.ts'
import { logInRekor2 } from '../services/rekor2.ts'
import { requestTimestamp } from '../services/timestamps.ts'

/** Logs and timestamp authorities, chosen. */
export type RecordServices = { readonly logs: readonly SigningService[]; readonly timestamps: readonly SigningService[] }

/** How they are asked, and the logs that are known. */
export type RecordSetup = { readonly client: HttpClient; readonly trustedRoot: Pick<TrustedRoot, 'logs'> }

/** Chooses, as the config says. Throws `service_not_supported` where it names some and they cannot satisfy it. */
export function recordServices(config: SigningConfig, nowMs: number): RecordServices {
  return {
    logs: selectServices({ services: config.logUrls, selector: config.logSelector, supportedVersions: [1, 2], nowMs }),
    timestamps: selectServices({ services: config.timestampUrls, selector: config.timestampSelector, supportedVersions: [1], nowMs }),
  }
}

/** Whose signatures these are. */
export type RecordedKey = { readonly publicKey: PublicKey; readonly certificate?: Uint8Array }

/** Log entries and timestamps of one signature; all are asked at once, and any that fails fails the signature. */
export async function recordSignature(
  { client, trustedRoot }: RecordSetup,
  services: RecordServices,
  key: RecordedKey,
  content: SignedContent,
  algorithm: SignatureAlgorithm,
): Promise<Pick<SignedEntity, 'logEntries' | 'timestamps'>> {
  const signed = { content, algorithm, ...key }
  const log = ({ url, majorApiVersion }: SigningService): Promise<TransparencyLogEntry> =>
    majorApiVersion === 2 ? logInRekor2(client, { url, logs: trustedRoot.logs }, signed) : logInRekor1(client, url, signed)
  const [logEntries, timestamps] = await Promise.all([
    Promise.all(services.logs.map(log)),
    Promise.all(services.timestamps.map(({ url }) => requestTimestamp(client, url, signatureBytes(content)))),
  ])
  return { logEntries, timestamps }
}
