import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../../testkit/src/vectors.ts'
import { parseTimestampResponse, verifyTimestamp } from '../../src/rfc3161/timestamp.ts'
import { parseTrustedRoot } from '../../src/trust/trusted-root.ts'
import type { TrustedRoot } from '../../src/trust/model.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { verifyChain } from '../../src/x509/chain.ts'
import { fulcioIdentity } from '../../src/x509/fulcio.ts'
import { verifyScts } from '../../src/x509/sct.ts'

/** The parts of a bundle that these tests look at; bundles themselves are read by the room that owns them. */
type BundleJson = {
  readonly verificationMaterial: {
    readonly certificate?: { readonly rawBytes: string }
    readonly x509CertificateChain?: { readonly certificates: readonly { readonly rawBytes: string }[] }
    readonly tlogEntries?: readonly { readonly integratedTime?: string }[]
    readonly timestampVerificationData?: { readonly rfc3161Timestamps?: readonly { readonly signedTimestamp: string }[] }
  }
  readonly messageSignature?: { readonly signature: string }
  readonly dsseEnvelope?: { readonly signatures: readonly { readonly sig: string }[] }
}

/** What is refused here; other cases that must be refused have their fault elsewhere. */
const refusals: Readonly<Record<string, string>> = {
  'bundle-from-wrong-instance_fail': 'certificate_untrusted',
  'integrated-time-in-future_fail': 'certificate_expired',
  'intoto-expired-certificate_fail': 'certificate_expired',
  'intoto-set-outside-signing-cert-validity_fail': 'certificate_expired',
  'intoto-tsa-timestamp-outside-cert-validity_fail': 'certificate_expired',
  'invalid-ct-key_fail': 'sct',
  'rekor2-timestamp-outside-trust-root-tsa-validity_fail': 'timestamp_untrusted',
  'rekor2-timestamp-outside-tsa-cert-validity_fail': 'timestamp_untrusted',
  'rekor2-timestamp-payload-mismatch_fail': 'timestamp_invalid',
  'rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail': 'timestamp_untrusted',
  'rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail': 'timestamp_untrusted',
  'rekor2-timestamp-with-incorrect-time_fail': 'certificate_expired',
}

/** Not readable at all, or without certificate, or with a trusted root that is refused as a whole. */
const elsewhere: ReadonlySet<string> = new Set([
  'bundle-malformed-json_fail',
  'bundle-empty-certificate-chain_fail',
  'trust-root-tlog-missing-validity-start_fail',
])

const primitives = webPrimitives(crypto.subtle)
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

const folder = vectorsFolder()
const cases = folder === undefined ? '' : path.join(folder, 'sigstore-conformance', 'bundle-verify')
const names = cases === '' ? [] : readdirSync(cases).filter((name) => existsSync(path.join(cases, name, 'bundle.sigstore.json')))

describe.skipIf(folder === undefined)(
  'real certificates and timestamps of Sigstore (skipped where the vectors are not beside the checkout)',
  () => {
    it.each(names.filter((name) => !elsewhere.has(name)))('%s', async (name) => {
      const own = path.join(cases, name, 'trusted_root.json')
      const file = existsSync(own) ? own : path.join(folder ?? '', 'sigstore-public-good', 'trusted_root.json')
      const bundle = JSON.parse(readFileSync(path.join(cases, name, 'bundle.sigstore.json'), 'utf8')) as BundleJson
      expect(await firstRefusal(bundle, parseTrustedRoot(readFileSync(file, 'utf8')))).toBe(refusals[name])
    })
  },
)

/** Timestamps, then the chain at every time, then SCTs and identity; the first that is refused. */
async function firstRefusal(bundle: BundleJson, root: TrustedRoot): Promise<string | undefined> {
  const material = bundle.verificationMaterial
  const times = (material.tlogEntries ?? []).map((entry) => Number(entry.integratedTime ?? 0) * 1000).filter((time) => time > 0)
  const message = bytes(bundle.messageSignature?.signature ?? bundle.dsseEnvelope?.signatures[0]?.sig ?? '')
  for (const { signedTimestamp } of material.timestampVerificationData?.rfc3161Timestamps ?? []) {
    const response = parseTimestampResponse(bytes(signedTimestamp))
    const result = await verifyTimestamp({ response, message, authorities: root.timestampAuthorities, primitives })
    if (!result.ok) return result.code
    times.push(result.timeMs)
  }
  const certificate = material.certificate ?? material.x509CertificateChain?.certificates[0]
  return certificate && certificateRefusal(bytes(certificate.rawBytes), times, root)
}

async function certificateRefusal(der: Uint8Array, times: readonly number[], root: TrustedRoot): Promise<string | undefined> {
  const leaf = parseCertificate(der)
  const anchors = root.certificateAuthorities
  for (const timeMs of times) {
    const result = await verifyChain({ leaf, intermediates: [], anchors, timeMs, purpose: 'codeSigning', primitives })
    if (!result.ok) return result.code
    const issuerSpki = result.chain[1]?.spki ?? new Uint8Array()
    const scts = await verifyScts({ leaf, issuerSpki, ctLogs: root.ctLogs, primitives })
    if (!scts.some((sct) => sct.ok)) return 'sct'
  }
  return fulcioIdentity(leaf).issuer.startsWith('https://') ? undefined : 'identity'
}
