/** `countersign clean`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Removes what refers to an image. */
export const cleanCommand: Command = {
  name: 'clean',
  summary: 'Remove signatures, attestations, SBOMs and other referrers of an image, of every layout.',
  description:
    'The image itself stays, and so do signatures of other images. For an index, what signs its platforms stays too: clean each by its digest.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Show what would be removed', line: 'countersign clean --dry-run registry.example/app:1.2' },
    { text: 'Remove the signatures, without being asked', line: 'countersign clean --type signature --force registry.example/app:1.2' },
  ],
  flags: [
    {
      name: 'type',
      kind: 'text',
      value: 'TYPE',
      help: 'signature, attestation, sbom, referrer (whatever is listed as one) or all',
      choices: ['signature', 'attestation', 'sbom', 'referrer', 'all'],
      default: 'all',
      commandLineOnly: true,
    },
    { name: 'dry-run', kind: 'boolean', help: 'only say what would be removed', commandLineOnly: true },
    { name: 'force', short: 'f', kind: 'boolean', help: 'do not ask', commandLineOnly: true },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/clean.ts')).clean,
}
