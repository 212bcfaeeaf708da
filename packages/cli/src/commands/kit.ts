/** `countersign kit`: flags and help. */
import type { Command } from '../command/model.ts'

/** Writes what a client of an installation begins with. */
export const kitCommand: Command = {
  name: 'kit',
  summary:
    'Fetch what clients of an installation begin with: root, trusted root, signing config, keys, certificates, environment for gitsign.',
  description:
    'Fetches the trust root of the services at --url (see "countersign serve"), checked as every client checks it, and writes into DIR: root.json, trusted_root.json, signing_config.json, the public keys and certificates, and env.sh for gitsign. Prints the fingerprint of the root.\nOff this machine --root-checksum is required: get it from whoever runs the services, by another way than the network.',
  subjects: 'DIR',
  least: 1,
  most: 1,
  examples: [
    { text: 'Of a server on this machine', line: 'countersign kit --url http://127.0.0.1:8460 kit' },
    {
      text: 'Of the server of a team, and gitsign with it',
      line: 'countersign kit --url https://sign.example.org --root-checksum 9f86d0818… kit && . kit/env.sh',
    },
  ],
  flags: [
    { name: 'url', kind: 'text', value: 'URL', help: 'public URL of the services' },
    {
      name: 'root-checksum',
      kind: 'text',
      value: 'SHA256',
      help: 'checksum of the root: 64 hex digits, or sha512: and 128; demanded off loopback',
    },
  ],
  body: async () => (await import('../verbs/kit.ts')).kit,
}
