/** `countersign triangulate`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Prints the legacy tag. */
export const triangulateCommand: Command = {
  name: 'triangulate',
  summary: "Print the reference under which cosign's legacy layout keeps something.",
  description: 'Signatures of the bundle layout have no such tag: "countersign tree" shows them.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Where would legacy signatures be?', line: 'countersign triangulate registry.example/app:1.2' },
    { text: 'What is the digest?', line: 'countersign triangulate --type digest registry.example/app:1.2' },
  ],
  flags: [
    {
      name: 'type',
      kind: 'text',
      value: 'TYPE',
      help: 'signature, attestation, sbom or digest',
      choices: ['signature', 'attestation', 'sbom', 'digest'],
      default: 'signature',
    },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/triangulate.ts')).triangulate,
}
