/** The keyless signer: a key for this run alone, certified for the identity in a token, whose signatures are logged and stamped. */
import { generateKeyPairSync } from 'node:crypto'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { selectServices, type SigningConfig } from '@countersign/core/trust/signing-config'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { Demand, VerifyPolicy } from '@countersign/core/verify/policy'
import type { HttpClient } from '../http/client.ts'
import { openSigner } from '../keys/file-signer.ts'
import { requestCertificate } from '../services/fulcio.ts'
import type { Signer, SignerServices } from '../sign/signer.ts'
import { readIdentityToken } from './identity-token.ts'
import { recordSignature, recordServices, type RecordedKey, type RecordServices } from './records.ts'

/** Which services, and whom to trust in checking what they answer. */
export type SigningSetup = {
  readonly client: HttpClient
  readonly config: SigningConfig
  readonly trustedRoot: TrustedRoot
  /** Unix milliseconds. */
  readonly nowMs: () => number
}

/**
 * A signer for the identity in the token. One key and one certificate for all that it signs, for the ten minutes that the certificate lives.
 *
 * Throws `identity_token_malformed`, `identity_token_expired`; `service_not_supported` when the config names no certificate authority or
 * no transparency log, without which no verifier accepts a keyless signature; what the authority refuses is
 * `service_refused`.
 *
 * @example
 * ```ts
 * async function signRelease(token: string, setup: SigningSetup): Promise<Uint8Array> {
 *   const signed = await signBlob(fileBlobSource('release.tar.gz'), await keylessSigner(token, setup))
 *   return signed.bundle
 * }
 * ```
 */
export async function keylessSigner(token: string, setup: SigningSetup): Promise<Signer> {
  const { client, config, nowMs } = setup
  const identity = readIdentityToken(token, nowMs())
  const [authority] = selectServices({ services: config.caUrls, supportedVersions: [1], nowMs: nowMs() })
  if (authority === undefined) throw missing('names no certificate authority')
  const services = recordServices(config, nowMs())
  if (services.logs.length === 0) throw missing('names no transparency log')
  const signer = ephemeralSigner()
  const [certificate] = await requestCertificate(client, {
    url: authority.url,
    token: identity.token,
    publicKey: signer.publicKey,
    proofOfPossession: await signer.signMessage(utf8(identity.challenge)),
  })
  return { ...signer, services: servicesOf({ publicKey: signer.publicKey, certificate }, services, setup) }
}

/**
 * A signer with a key of one's own whose signatures are logged and stamped as the config says; the same signer when it names no service.
 * Throws `service_not_supported`.
 *
 * @example
 * ```ts
 * async function signLogged(setup: SigningSetup): Promise<Uint8Array> {
 *   const signed = await signBlob(fileBlobSource('release.tar.gz'), recordedSigner(signer, setup))
 *   return signed.bundle
 * }
 * ```
 */
export function recordedSigner(signer: Signer, setup: SigningSetup): Signer {
  const services = recordServices(setup.config, setup.nowMs())
  if (services.logs.length === 0 && services.timestamps.length === 0) return signer
  return { ...signer, services: servicesOf({ publicKey: signer.publicKey }, services, setup) }
}

/** P-256: what every certificate authority and every verifier takes. The private key is never written anywhere. */
function ephemeralSigner(): Signer {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' })
  try {
    return openSigner(pkcs8)
  } finally {
    pkcs8.fill(0)
  }
}

function servicesOf(key: RecordedKey, services: RecordServices, setup: SigningSetup): SignerServices {
  const { trustedRoot, nowMs } = setup
  return {
    ...(key.certificate === undefined ? {} : { certificate: key.certificate }),
    record: (content, algorithm) => recordSignature(setup, services, key, content, algorithm),
    demands: { policy: demandsOf(key, services), trustedRoot },
    nowMs,
  }
}

/** Everything that a verifier will demand of what these services say. */
function demandsOf({ publicKey, certificate }: RecordedKey, { logs, timestamps }: RecordServices): VerifyPolicy {
  const asked = (services: readonly unknown[]): Demand => (services.length > 0 ? { kind: 'required' } : { kind: 'not_demanded' })
  return {
    signer:
      certificate === undefined
        ? { kind: 'keys', keys: [{ key: publicKey, label: 'the signing key' }] }
        : { kind: 'any_certified_signer_UNSAFE', reason: 'the signer checks that its own certificate will be trusted' },
    content: { kind: 'any_content' },
    log: certificate === undefined ? asked(logs) : { kind: 'required' },
    sct: certificate === undefined ? { kind: 'not_demanded' } : { kind: 'required' },
    signedTimestamp: asked(timestamps),
    claims: { kind: 'required' },
  }
}

function missing(what: string): CountersignError {
  return new CountersignError('service_not_supported', `keyless signing is not possible: the signing config ${what}`, {
    hint: 'Use the signing config of your installation ("countersign initialize --mirror URL/tuf --root URL/kit/root.json"), or sign with --key.',
  })
}
