/** Flags of the verbs that verify. */
import type { Flag } from '../command/model.ts'
import { attachmentTagPrefixFlag } from './registry.ts'
import { hardwareKeyFlags } from './signing.ts'

function identityFlag(name: string, help: string): Flag {
  return { name, kind: 'text', value: 'NAME', help }
}

function workflowFlag(name: string, claim: string): Flag {
  return { name: `certificate-github-workflow-${name}`, kind: 'text', value: 'VALUE', help: `the ${claim} that the certificate must name` }
}

/** Judging by a policy, on every verb that verifies. */
export const policyFlags: readonly Flag[] = [
  {
    name: 'policy',
    kind: 'text',
    value: 'FILE',
    help: 'policy that says who must have signed and attested what; --key then gives the keys that it names',
    path: true,
  },
  { name: 'revocations', kind: 'list', value: 'FILE', help: 'revocation list that the policy listens to', path: true },
  {
    name: 'revocation-state',
    kind: 'text',
    value: 'DIR',
    help: 'folder that remembers the newest revocation lists seen, so that older ones are noticed; else countersign/revocations in $XDG_STATE_HOME',
    path: true,
  },
  { name: 'no-state', kind: 'boolean', help: 'remember nothing; the policy may pin a least version', commandLineOnly: true },
]

/** Who may have signed. */
export const signerFlags: readonly Flag[] = [
  { name: 'key', kind: 'list', value: 'KEY', help: 'public key: a file, env://VARIABLE or https://…; any of several suffices', path: true },
  identityFlag('certificate-identity', 'who must have signed: mail address, URI, DNS name or IP address'),
  identityFlag('certificate-identity-regexp', 'the same as an RE2 pattern that must match the whole name'),
  identityFlag('certificate-oidc-issuer', 'who must vouch for the identity'),
  identityFlag('certificate-oidc-issuer-regexp', 'the same as an RE2 pattern that must match the whole name'),
  workflowFlag('name', 'workflow'),
  workflowFlag('ref', 'git ref'),
  workflowFlag('repository', 'repository'),
  workflowFlag('sha', 'commit'),
  workflowFlag('trigger', 'event'),
  ...hardwareKeyFlags,
]

/** What is demanded, and what it is checked against. */
export const demandFlags: readonly Flag[] = [
  { name: 'trusted-root', kind: 'text', value: 'FILE', help: 'trusted root; with --key it demands a log entry', path: true },
  { name: 'require-tlog', kind: 'boolean', help: 'demand an entry in a log of the trusted root' },
  { name: 'insecure-ignore-tlog', kind: 'boolean', help: 'do without a log entry', commandLineOnly: true },
  { name: 'private-infrastructure', kind: 'boolean', hidden: true, alias: 'insecure-ignore-tlog', help: 'the same', commandLineOnly: true },
  { name: 'insecure-ignore-sct', kind: 'boolean', help: 'do without proof that the certificate was logged', commandLineOnly: true },
  { name: 'use-signed-timestamps', kind: 'boolean', help: 'demand a timestamp of a trusted authority' },
  { name: 'ca-roots', kind: 'text', value: 'FILE', hidden: true, help: 'root certificates, PEM', path: true },
  { name: 'ca-intermediates', kind: 'text', value: 'FILE', hidden: true, help: 'intermediate certificates, PEM', path: true },
  { name: 'certificate-chain', kind: 'text', value: 'FILE', hidden: true, help: 'chain from the parent to the root, PEM', path: true },
  { name: 'cert-chain', kind: 'text', hidden: true, alias: 'certificate-chain', help: 'the same' },
  {
    name: 'timestamp-certificate-chain',
    kind: 'text',
    value: 'FILE',
    hidden: true,
    help: 'chain of the timestamp authority, PEM',
    path: true,
  },
  {
    name: 'sct',
    kind: 'text',
    hidden: true,
    help: 'detached SCT',
    refused: { code: 'not_supported', hint: 'Use certificates with embedded SCTs, or --insecure-ignore-sct.' },
  },
  {
    name: 'warn-expiry',
    kind: 'number',
    value: 'DAYS',
    help: 'warn of what is trusted and ends within so many days; 0 for never',
    default: '14',
  },
  { name: 'max-workers', kind: 'number', value: 'N', help: 'how many images or files are verified at the same time', default: '32' },
  ...['new-bundle-format', 'experimental-oci11'].map((name): Flag => ({
    name,
    kind: 'boolean',
    hidden: true,
    help: 'form of the signature',
    idle: 'every form of signature is always found and read',
  })),
  { name: 'offline', kind: 'boolean', hidden: true, help: 'no network', idle: 'verification never contacts a service that was not named' },
  { name: 'rekor-url', kind: 'text', hidden: true, help: 'log to ask', idle: 'the proof in the signature is verified; no log is asked' },
  { name: 'signature-digest-algorithm', kind: 'text', hidden: true, help: 'hash function', idle: 'the hash function comes from the key' },
]

/** Verbs that verify what is in registries. */
const cacheFlags: readonly Flag[] = [
  {
    name: 'cache-dir',
    kind: 'text',
    value: 'DIR',
    help: 'where bytes that were fetched are kept by digest; everything is verified again in each run',
    default: '$XDG_CACHE_HOME/countersign/objects',
    path: true,
  },
  { name: 'no-cache', kind: 'boolean', help: 'keep nothing between runs, use nothing that was kept' },
]

/** `verify` and `verify-attestation`. */
export const imageDemandFlags: readonly Flag[] = [
  ...cacheFlags,
  { name: 'annotations', short: 'a', kind: 'csv', value: 'KEY=VALUE', help: 'annotations that must have been signed' },
  { name: 'check-claims', kind: 'boolean', help: 'whether the signature must name this image', default: 'true', commandLineOnly: true },
  {
    name: 'output',
    short: 'o',
    kind: 'text',
    value: 'json|text',
    help: "cosign's output, also on a terminal",
    choices: ['json', 'text'],
    commandLineOnly: true,
  },
  { name: 'local-image', kind: 'boolean', help: 'IMAGE is a folder written by "cosign save"; the same as oci:DIR', commandLineOnly: true },
  {
    name: 'attachment',
    kind: 'text',
    hidden: true,
    help: 'what is attached',
    refused: { code: 'not_supported', hint: 'Verify the attached artifact by its own digest.' },
  },
  attachmentTagPrefixFlag,
]

/** The verbs that verify signatures of images. */
export const checkNameFlag: Flag = {
  name: 'check-name',
  kind: 'boolean',
  help: 'accept only signatures that are bound to the name of the repository (sign --bind-name)',
}

/** `verify-blob` and `verify-blob-attestation`. */
export const blobDemandFlags: readonly Flag[] = [
  {
    name: 'bundle',
    kind: 'list',
    value: 'FILE',
    help: "Sigstore bundle, or cosign's older form; one for each file, in order",
    commandLineOnly: true,
  },
  { name: 'signature', kind: 'text', value: 'FILE', help: 'detached signature in place of --bundle, base64 or raw', commandLineOnly: true },
  { name: 'certificate', kind: 'text', value: 'FILE', hidden: true, help: 'certificate of the signer, PEM', commandLineOnly: true },
  { name: 'cert', kind: 'text', hidden: true, alias: 'certificate', help: 'the same', commandLineOnly: true },
  { name: 'rfc3161-timestamp', kind: 'text', value: 'FILE', hidden: true, help: 'detached timestamp', commandLineOnly: true },
]
