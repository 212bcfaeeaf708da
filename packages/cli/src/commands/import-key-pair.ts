/** `countersign import-key-pair`: flags and help. */
import type { Command } from '../command/model.ts'

/** Imports a private key. */
export const importKeyPairCommand: Command = {
  name: 'import-key-pair',
  summary: 'Encrypt an existing private key for signing.',
  description:
    'Reads PEM: PKCS#8, PKCS#1 and SEC1, with ECDSA P-256, P-384, P-521, RSA 2048 to 4096 and Ed25519 keys.\nThe new password is COUNTERSIGN_PASSWORD, else COSIGN_PASSWORD, else asked for.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'Write import-cosign.key and import-cosign.pub', line: 'countersign import-key-pair --key openssl.pem' }],
  flags: [
    { name: 'key', short: 'k', kind: 'text', value: 'FILE', help: 'the private key, PEM', commandLineOnly: true },
    {
      name: 'output-key-prefix',
      short: 'o',
      kind: 'text',
      value: 'PREFIX',
      help: 'name of the files before .key and .pub',
      default: 'import-cosign',
      commandLineOnly: true,
    },
    { name: 'yes', short: 'y', kind: 'boolean', help: 'overwrite existing files', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/import-key-pair.ts')).importKeyPairVerb,
}
