/** `countersign inspect`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags } from '../flags/registry.ts'

/** Shows what something is. */
export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'Show what a file or manifest is and says. Nothing is verified.',
  description: 'Reads Sigstore bundles, envelopes, statements, trusted roots, signing configs, manifests, keys and certificates.',
  subjects: 'FILE|IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Who claims to have signed this?', line: 'countersign inspect app.tar.gz.sigstore.json' },
    { text: 'What is in this certificate?', line: 'countersign inspect leaf.pem' },
    { text: 'What does this manifest hold?', line: 'countersign inspect registry.example/app:1.2' },
    { text: 'What comes from stdin?', line: 'countersign download signature registry.example/app:1.2 | head -1 | countersign inspect -' },
  ],
  flags: [...registryFlags],
  body: async () => (await import('../verbs/inspect.ts')).inspect,
}
