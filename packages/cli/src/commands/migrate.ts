/** `countersign migrate`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Writes legacy attestations as bundles. */
export const migrateCommand: Command = {
  name: 'migrate',
  summary: 'Write legacy attestations as Sigstore bundles, without a key, and say what must be signed again.',
  description:
    'An attestation gets a bundle around the same envelope and signature, which cosign 3 verifies. A legacy signature is over a document of cosign’s, which no bundle can hold: its signer is named, with the command that signs again.\nReferrers that the registry does not list, because it learnt the referrers API later, are listed. Exit 0: all is migrated; 1: something must be signed again.',
  subjects: 'IMAGE…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Say what would be done', line: 'countersign migrate --dry-run registry.example/app:1.2' },
    { text: 'Do it, for every image of an index', line: 'countersign migrate -r registry.example/app:1.2' },
    {
      text: 'Name the signers whose keys you have, and take those who have signed in both layouts as done',
      line: 'countersign migrate --key alice.pub --key bob.pub registry.example/app:1.2',
    },
  ],
  flags: [
    { name: 'dry-run', kind: 'boolean', help: 'write nothing, say what would be done', commandLineOnly: true },
    { name: 'recursive', short: 'r', kind: 'boolean', help: 'every image of an index too' },
    {
      name: 'keep',
      kind: 'boolean',
      help: 'keep the legacy attestations; =false removes them once all of them are in bundles',
      default: 'true',
      commandLineOnly: true,
    },
    { name: 'key', kind: 'list', value: 'KEY', help: 'public key of a signer, to tell whose a legacy signature is', path: true },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/migrate.ts')).migrate,
}
