/** Flags of the verbs that sign. */
import type { Flag } from '../command/model.ts'
import { attestationTypeFlag } from './attestation-type.ts'
import { attachmentTagPrefixFlag } from './registry.ts'

const keyless = 'Sign with --key; certificates from an authority are not supported yet.'
const ownCertificate = 'Sign without a certificate; certificates of your own are not supported yet.'
const services = 'Sign without it; transparency logs and timestamps are not supported yet.'
const hardware = 'Use a key file, env://VARIABLE or https:// reference; hardware keys are not supported yet.'

function keylessFlag(name: string, kind: Flag['kind'] = 'text'): Flag {
  return { name, kind, hidden: true, help: 'keyless signing', idle: 'it belongs to keyless signing, which is not supported yet' }
}

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
  { name: 'signing-config', kind: 'text', value: 'FILE', help: 'services to use; one that names no service is accepted', path: true },
  { name: 'bundle', kind: 'text', value: 'FILE', help: 'also write the Sigstore bundle to a file', commandLineOnly: true },
  { name: 'yes', short: 'y', kind: 'boolean', help: 'skip confirmations' },
  {
    name: 'use-signing-config',
    kind: 'boolean',
    hidden: true,
    help: 'signing config from TUF',
    idle: 'no service is contacted unless a signing config names it',
    quietWhenFalse: true,
  },
  {
    name: 'trusted-root',
    kind: 'text',
    value: 'FILE',
    hidden: true,
    help: 'trusted root',
    idle: 'what was written is read back and verified with the key itself',
  },
  { name: 'new-bundle-format', kind: 'boolean', hidden: true, help: 'false means --layout legacy' },
  {
    name: 'tlog-upload',
    kind: 'boolean',
    hidden: true,
    help: 'upload to a transparency log',
    refused: { code: 'service_not_supported', hint: services },
  },
  ...hardwareKeyFlags,
  serviceFlag('rekor-url', 'text', services),
  serviceFlag('fulcio-url', 'text', keyless),
  serviceFlag('timestamp-server-url', 'text', services),
  serviceFlag('issue-certificate', 'boolean', keyless),
  serviceFlag('certificate', 'text', ownCertificate),
  { ...serviceFlag('cert', 'text', ownCertificate), alias: 'certificate' },
  serviceFlag('certificate-chain', 'text', ownCertificate),
  {
    ...serviceFlag('cert-chain', 'text', ownCertificate),
    alias: 'certificate-chain',
  },
  keylessFlag('fulcio-auth-flow'),
  keylessFlag('identity-token'),
  keylessFlag('oidc-issuer'),
  keylessFlag('oidc-client-id'),
  keylessFlag('oidc-client-secret-file'),
  keylessFlag('oidc-disable-ambient-providers', 'boolean'),
  keylessFlag('oidc-provider'),
  keylessFlag('oidc-redirect-url'),
  keylessFlag('insecure-skip-verify', 'boolean'),
  ...['timestamp-client-cacert', 'timestamp-client-cert', 'timestamp-client-key', 'timestamp-server-name'].map((name): Flag => ({
    name,
    kind: 'text',
    hidden: true,
    help: 'timestamp service',
    idle: 'no timestamp service is used',
  })),
  {
    name: 'record-creation-timestamp',
    kind: 'boolean',
    hidden: true,
    help: 'creation time of the manifest',
    idle: 'signature manifests always carry their creation time',
  },
  { name: 'rekor-entry-type', kind: 'text', hidden: true, help: 'entry type', idle: 'no transparency log is used' },
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
