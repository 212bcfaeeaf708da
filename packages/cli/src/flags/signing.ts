/** Flags of the verbs that sign. */
import type { Flag } from '../command/model.ts'
import { attestationTypeFlag } from './attestation-type.ts'
import { attachmentTagPrefixFlag } from './registry.ts'

const ownCertificate = 'Sign without a certificate; certificates of your own are not supported yet.'
const hardware = 'Use a key file, env://VARIABLE or https:// reference; hardware keys are not supported yet.'

function serviceFlag(name: string, kind: Flag['kind'], hint: string): Flag {
  return { name, kind, hidden: true, help: 'a signing service', refused: { code: 'service_not_supported', hint } }
}

/** Flags of keys on hardware, on every verb that takes a key. */
export const hardwareKeyFlags: readonly Flag[] = [
  { name: 'sk', kind: 'boolean', hidden: true, help: 'hardware security key', refused: { code: 'not_supported', hint: hardware } },
  { name: 'slot', kind: 'text', hidden: true, help: 'slot of a hardware key', idle: 'hardware keys are not supported yet' },
]

/** Common to `sign`, `attest`, `sign-blob` and `attest-blob`. */
export const signingFlags: readonly Flag[] = [
  { name: 'key', kind: 'text', value: 'KEY', help: 'private key: a file, env://VARIABLE or https://…', path: true },
  {
    name: 'signing-config',
    kind: 'text',
    value: 'FILE',
    help: 'services to use; default for keyless: what initialize fetched',
    path: true,
  },
  {
    name: 'identity-token',
    kind: 'text',
    value: 'TOKEN',
    help: 'keyless: who signs, an OpenID Connect token or a file with it',
    commandLineOnly: true,
  },
  { name: 'bundle', kind: 'text', value: 'FILE', help: 'also write the Sigstore bundle to a file', commandLineOnly: true },
  { name: 'yes', short: 'y', kind: 'boolean', help: 'skip confirmations' },
  {
    name: 'use-signing-config',
    kind: 'boolean',
    hidden: true,
    help: 'with --key: ask the services of the signing config that initialize fetched',
  },
  { name: 'trusted-root', kind: 'text', value: 'FILE', help: 'whom to trust in checking what services answer', path: true },
  { name: 'new-bundle-format', kind: 'boolean', hidden: true, help: 'false means --layout legacy' },
  { name: 'tlog-upload', kind: 'boolean', hidden: true, help: 'with --key: upload to the transparency log of the signing config' },
  ...hardwareKeyFlags,
  { name: 'fulcio-url', kind: 'text', value: 'URL', help: 'certificate authority, in place of the one in the signing config' },
  { name: 'rekor-url', kind: 'text', value: 'URL', help: 'transparency log (version 1), in place of those in the signing config' },
  { name: 'timestamp-server-url', kind: 'text', value: 'URL', help: 'timestamp authority, in place of those in the signing config' },
  serviceFlag(
    'issue-certificate',
    'boolean',
    'Sign without --key for a certificate; a certificate for a key of your own is not supported yet.',
  ),
  serviceFlag('certificate', 'text', ownCertificate),
  { ...serviceFlag('cert', 'text', ownCertificate), alias: 'certificate' },
  serviceFlag('certificate-chain', 'text', ownCertificate),
  {
    ...serviceFlag('cert-chain', 'text', ownCertificate),
    alias: 'certificate-chain',
  },
  {
    name: 'fulcio-auth-flow',
    kind: 'text',
    value: 'FLOW',
    help: 'keyless: how to log in where no token is found',
    choices: ['normal', 'device', 'token', 'client_credentials'],
    default: 'a browser where there is one, else device',
  },
  { name: 'oidc-issuer', kind: 'text', value: 'URL', help: 'identity provider, in place of the one in the signing config' },
  { name: 'oidc-client-id', kind: 'text', value: 'ID', help: 'who asks the identity provider', default: 'sigstore' },
  { name: 'oidc-client-secret-file', kind: 'text', value: 'FILE', help: 'the secret of that client, where it has one', path: true },
  {
    name: 'oidc-redirect-url',
    kind: 'text',
    value: 'URL',
    help: 'where the browser comes back',
    default: 'http://localhost:0/auth/callback',
  },
  {
    name: 'oidc-provider',
    kind: 'text',
    value: 'PROVIDER',
    help: 'ask this source of tokens alone',
    choices: ['github-actions', 'buildkite-agent', 'spiffe', 'google', 'filesystem'],
  },
  { name: 'oidc-disable-ambient-providers', kind: 'boolean', help: 'look for no token where this runs' },
  {
    name: 'insecure-skip-verify',
    kind: 'boolean',
    hidden: true,
    help: 'skip the SCT of the certificate',
    idle: 'a signature is always verified before it leaves, and its SCT with it',
  },
  ...['timestamp-client-cacert', 'timestamp-client-cert', 'timestamp-client-key', 'timestamp-server-name'].map((name): Flag => ({
    name,
    kind: 'text',
    hidden: true,
    help: 'timestamp service',
    idle: 'services are asked with the certificates of the system, or --registry-cacert',
  })),
  {
    name: 'record-creation-timestamp',
    kind: 'boolean',
    hidden: true,
    help: 'creation time of the manifest',
    idle: 'signature manifests always carry their creation time',
  },
  {
    name: 'rekor-entry-type',
    kind: 'text',
    hidden: true,
    help: 'entry type',
    idle: 'a message is logged as hashedrekord, an envelope as the log version demands',
  },
]

/** `sign` and `attest`: what becomes of the signature in the registry. */
export const imageSigningFlags: readonly Flag[] = [
  {
    name: 'layout',
    kind: 'text',
    value: 'LAYOUT',
    help: 'bundle, legacy (tags .sig and .att) or both',
    choices: ['bundle', 'legacy', 'both'],
    default: 'bundle',
  },
  attachmentTagPrefixFlag,
]

/** `--type`, `--predicate` and `--statement` of the verbs that attest. */
export const statementFlags: readonly Flag[] = [
  {
    name: 'predicate',
    kind: 'text',
    value: 'FILE',
    help: 'predicate, JSON (custom and spdx: any text); - reads stdin',
    commandLineOnly: true,
  },
  attestationTypeFlag,
  { name: 'statement', kind: 'text', value: 'FILE', help: 'a whole in-toto statement, signed byte for byte', commandLineOnly: true },
]
