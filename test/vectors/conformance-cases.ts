/** The bundle cases of the Sigstore conformance suite, as its README describes them, and what each must be refused with. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FailureCode } from '@countersign/core/failure'

/** Where a case's files are, and what they say. */
export type ConformanceCase = {
  readonly name: string
  readonly bundle: Buffer
  readonly artifactFile: string
  readonly trustedRoot: Buffer
  /** PEM; when present the case is verified with it and not by identity. */
  readonly key?: string
  readonly keyFile?: string
  readonly trustedRootFile?: string
  readonly bundleFile: string
  readonly identity: string
  readonly issuer: string
}

const beacon =
  'https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main'

/** Reads every case below the folder of vectors. */
export function readConformanceCases(vectors: string): readonly ConformanceCase[] {
  const folder = join(vectors, 'sigstore-conformance', 'bundle-verify')
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'bundle.sigstore.json')))
  return names.map((name) => {
    const file = (part: string): string | undefined => {
      const path = join(folder, name, part)
      return existsSync(path) ? path : undefined
    }
    const text = (part: string): string | undefined => {
      const path = file(part)
      return path === undefined ? undefined : readFileSync(path, 'utf8').trim()
    }
    const trustedRootFile = file('trusted_root.json')
    const [key, keyFile] = [text('key.pub'), file('key.pub')]
    const bundleFile = join(folder, name, 'bundle.sigstore.json')
    return {
      name,
      bundleFile,
      bundle: readFileSync(bundleFile),
      artifactFile: file('artifact') ?? join(folder, 'a.txt'),
      trustedRoot: readFileSync(trustedRootFile ?? join(vectors, 'sigstore-public-good', 'trusted_root.json')),
      identity: text('identity') ?? beacon,
      issuer: text('issuer') ?? 'https://token.actions.githubusercontent.com',
      ...(trustedRootFile === undefined ? {} : { trustedRootFile }),
      ...(key === undefined || keyFile === undefined ? {} : { key, keyFile }),
    }
  })
}

/** Why each failing case must fail: another code is a wrong reason, and one day a right answer to a wrong question. */
export const expectedRefusals: Readonly<Record<string, FailureCode>> = {
  'bundle-empty-certificate-chain_fail': 'bundle_malformed',
  'bundle-from-wrong-instance_fail': 'log_untrusted',
  'bundle-invalid-base64-signature_fail': 'bundle_malformed',
  'bundle-malformed-json_fail': 'bundle_malformed',
  'bundle-negative-log-index_fail': 'bundle_malformed',
  'bundle-unknown-version_fail': 'bundle_version_unsupported',
  'bundle-with-root-cert_fail': 'bundle_malformed',
  'checkpoint-bad-keyhint_fail': 'checkpoint_invalid',
  'checkpoint-wrong-roothash_fail': 'checkpoint_invalid',
  'dsse-invalid-sig_fail': 'bundle_altered',
  'dsse-mismatch-envelope_fail': 'log_entry_mismatch',
  'dsse-mismatch-sig_fail': 'log_entry_mismatch',
  'inclusion-proof-corrupted-hash_fail': 'inclusion_proof_invalid',
  'incorrect-public-key_fail': 'log_entry_mismatch',
  'integrated-time-in-future_fail': 'certificate_expired',
  'intoto-expired-certificate_fail': 'certificate_expired',
  'intoto-log-entry-mismatch_fail': 'log_entry_mismatch',
  'intoto-missing-inclusion-proof_fail': 'bundle_malformed',
  'intoto-set-outside-signing-cert-validity_fail': 'certificate_expired',
  'intoto-tsa-timestamp-outside-cert-validity_fail': 'certificate_expired',
  'invalid-checkpoint-signature_fail': 'checkpoint_invalid',
  'invalid-ct-key_fail': 'sct_invalid',
  'invalid-inclusion-proof_fail': 'bundle_malformed',
  'managed-key-no-key_fail': 'signer_untrusted',
  // The key file of this case is no PEM at all.
  'managed-key-wrong-key_fail': 'pem_malformed',
  'message-digest-mismatch_fail': 'artifact_altered',
  'rekor2-checkpoint-missing-log-signature_fail': 'checkpoint_invalid',
  'rekor2-checkpoint-missing-origin_fail': 'checkpoint_invalid',
  'rekor2-checkpoint-missing-root-hash_fail': 'checkpoint_invalid',
  'rekor2-checkpoint-missing-size_fail': 'checkpoint_invalid',
  'rekor2-checkpoint-no-matching-signature_fail': 'checkpoint_invalid',
  'rekor2-dsse-invalid-sig_fail': 'bundle_altered',
  'rekor2-dsse-mismatch-envelope_fail': 'log_entry_mismatch',
  'rekor2-dsse-mismatch-sig_fail': 'log_entry_mismatch',
  'rekor2-no-inclusion-proof_fail': 'bundle_malformed',
  'rekor2-no-timestamp_fail': 'trusted_time_missing',
  'rekor2-timestamp-outside-trust-root-tsa-validity_fail': 'timestamp_untrusted',
  'rekor2-timestamp-outside-tsa-cert-validity_fail': 'timestamp_untrusted',
  'rekor2-timestamp-payload-mismatch_fail': 'timestamp_invalid',
  'rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail': 'timestamp_untrusted',
  'rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail': 'timestamp_untrusted',
  // Its base64 has line breaks, which is refused first; that the time is refused as well has a test of its own.
  'rekor2-timestamp-with-incorrect-time_fail': 'bundle_malformed',
  'set-invalid-signature_fail': 'signed_entry_timestamp_invalid',
  'signature-mismatch_fail': 'bundle_altered',
  'trust-root-tlog-missing-validity-start_fail': 'trusted_root_malformed',
  'wrong-hashedrekord-artifact_fail': 'log_entry_mismatch',
  'wrong-hashedrekord-cert-and-sig_fail': 'log_entry_mismatch',
  'wrong-hashedrekord-entry_fail': 'log_entry_mismatch',
  'wrong-material_fail': 'artifact_altered',
}
