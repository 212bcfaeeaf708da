/** `countersign public-key`: flags and help. */
import type { Command } from '../command/model.ts'
import { hardwareKeyFlags } from '../flags/signing.ts'

/** Prints a public key. */
export const publicKeyCommand: Command = {
  name: 'public-key',
  summary: 'Print the public key of a private or public key.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    { text: 'Print it', line: 'countersign public-key --key cosign.key' },
    { text: 'Write it to a file', line: 'countersign public-key --key cosign.key --outfile cosign.pub' },
  ],
  flags: [
    { name: 'key', kind: 'text', value: 'KEY', help: 'a file, env://VARIABLE or https://…', commandLineOnly: true },
    { name: 'outfile', kind: 'text', value: 'FILE', help: 'write it to a file', commandLineOnly: true },
    ...hardwareKeyFlags,
  ],
  body: async () => (await import('../verbs/public-key.ts')).publicKeyVerb,
}
