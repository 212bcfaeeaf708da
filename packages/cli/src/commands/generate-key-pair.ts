/** `countersign generate-key-pair`: flags and help. */
import type { Command } from '../command/model.ts'

/** Generates a key pair. */
export const generateKeyPairCommand: Command = {
  name: 'generate-key-pair',
  summary: 'Generate an encrypted private key and its public key.',
  description: 'The password is COUNTERSIGN_PASSWORD, else COSIGN_PASSWORD, else asked for. The files are those of cosign.',
  subjects: '',
  least: 0,
  most: 1,
  examples: [
    { text: 'Write cosign.key and cosign.pub', line: 'countersign generate-key-pair' },
    {
      text: 'Write release.key and release.pub with another algorithm',
      line: 'countersign generate-key-pair --type ed25519 --output-key-prefix release',
    },
  ],
  flags: [
    {
      name: 'type',
      kind: 'text',
      value: 'TYPE',
      help: 'ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-2048, rsa-3072, rsa-4096 or ed25519',
      choices: ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ed25519'],
      default: 'ecdsa-p256',
      commandLineOnly: true,
    },
    {
      name: 'output-key-prefix',
      kind: 'text',
      value: 'PREFIX',
      help: 'name of the files before .key and .pub',
      default: 'cosign',
      commandLineOnly: true,
    },
    { name: 'yes', short: 'y', kind: 'boolean', help: 'overwrite existing files', commandLineOnly: true },
    {
      name: 'kms',
      kind: 'text',
      hidden: true,
      help: 'key in a key management service',
      refused: { code: 'not_supported', hint: 'Generate a key file; key management services are not supported yet.' },
    },
  ],
  body: async () => (await import('../verbs/generate-key-pair.ts')).generateKeyPairVerb,
}
