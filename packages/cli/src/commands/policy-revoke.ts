/** `countersign policy revoke`: flags and help. */
import type { Command } from '../command/model.ts'
import { hardwareKeyFlags } from '../flags/signing.ts'

/** Makes revocation lists. */
export const policyRevokeCommand: Command = {
  name: 'policy revoke',
  summary: 'Revoke keys, identities, signatures or artifacts: make, sign and show revocation lists.',
  description:
    'Each change makes a new version: entries stay, moments only move earlier, and it is signed again by as many as the policy demands.\nWithout a change, --key adds a signature to the version that is there; without --key the list is shown and left as it is.',
  subjects: 'LIST',
  least: 1,
  most: 1,
  examples: [
    {
      text: 'Start a list that must be renewed every week',
      line: 'countersign policy revoke --key board-1.key --new acme --expires 7d acme.revocations.json',
    },
    {
      text: 'Revoke a stolen key from the day on which it was stolen; what was stamped before stays valid',
      line: 'countersign policy revoke --key board-1.key --revoke-key alice.pub --effective 2026-05-20 --reason "laptop stolen" acme.revocations.json',
    },
    { text: 'Sign it as the second of two', line: 'countersign policy revoke --key board-2.key acme.revocations.json' },
    {
      text: 'Revoke whoever has a certificate as this person',
      line: 'countersign policy revoke --key board-1.key --revoke-certificate eve@example.com --certificate-issuer https://accounts.example.com --reason left acme.revocations.json',
    },
    { text: 'Renew it', line: 'countersign policy revoke --key board-1.key --expires 7d acme.revocations.json' },
    { text: 'Show it in words', line: 'countersign policy revoke acme.revocations.json' },
  ],
  flags: [
    { name: 'key', kind: 'text', value: 'KEY', help: 'private key to sign the list with: a file, env://VARIABLE or https://…', path: true },
    {
      name: 'signer',
      kind: 'list',
      value: 'KEY',
      help: 'public key whose signature on the version that is there is believed, beside the one of --key',
      path: true,
    },
    { name: 'new', kind: 'text', value: 'NAME', help: 'start a list, under the name that policies call it by', commandLineOnly: true },
    {
      name: 'expires',
      kind: 'text',
      value: 'DURATION|TIME',
      help: 'until when the new version may be relied on; default: as long as the last one, or 30d',
    },
    {
      name: 'revoke-key',
      kind: 'list',
      value: 'FILE|DIGEST',
      help: 'revoke a public key: its file, or its fingerprint sha256:…',
      commandLineOnly: true,
    },
    {
      name: 'revoke-certificate',
      kind: 'text',
      value: 'SUBJECT',
      help: 'revoke certificates of this subject; * and ** as in policies',
      commandLineOnly: true,
    },
    {
      name: 'certificate-issuer',
      kind: 'text',
      value: 'ISSUER',
      help: 'issuer of --revoke-certificate; * and ** as in policies',
      commandLineOnly: true,
    },
    {
      name: 'revoke-log-entry',
      kind: 'list',
      value: 'URL#INDEX',
      help: 'revoke what a log has recorded under an index',
      commandLineOnly: true,
    },
    { name: 'revoke-artifact', kind: 'list', value: 'DIGEST', help: 'revoke an artifact, whoever signed it', commandLineOnly: true },
    {
      name: 'revoke-signature',
      kind: 'list',
      value: 'CONTENT,SIGNER',
      help: 'revoke one signature: digests of what was signed and of key or certificate',
      commandLineOnly: true,
    },
    {
      name: 'effective',
      kind: 'text',
      value: 'TIME',
      help: 'signatures proven to be older stay valid; default: none does',
      commandLineOnly: true,
    },
    {
      name: 'severity',
      kind: 'text',
      value: 'deny|warn',
      help: 'what the revocation comes to',
      choices: ['deny', 'warn'],
      default: 'deny',
      commandLineOnly: true,
    },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why, for those whom it stops', commandLineOnly: true },
    {
      name: 'after',
      kind: 'text',
      value: 'FILE',
      help: 'a list that was published: LIST must follow it',
      path: true,
      commandLineOnly: true,
    },
    { name: 'yes', short: 'y', kind: 'boolean', help: 'sign without being asked' },
    ...hardwareKeyFlags,
  ],
  body: async () => (await import('../verbs/policy-revoke.ts')).revoke,
}
