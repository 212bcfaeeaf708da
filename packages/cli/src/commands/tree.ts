/** `countersign tree`: flags and help. */
import type { Command } from '../command/model.ts'
import { referrersModeFlag, registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Shows what refers to an image. */
export const treeCommand: Command = {
  name: 'tree',
  summary: 'Show what refers to an image: signatures, attestations, SBOMs. Nothing is verified.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Show everything in all layouts', line: 'countersign tree registry.example/app:1.2' },
    { text: 'The same for programs', line: 'countersign tree --report json registry.example/app:1.2' },
  ],
  flags: [signatureRepositoryFlag, referrersModeFlag, ...registryFlags],
  body: async () => (await import('../verbs/tree.ts')).tree,
}
