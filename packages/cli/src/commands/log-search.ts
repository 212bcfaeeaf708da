/** `countersign log search`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Finds entries. */
export const logSearchCommand: Command = {
  name: 'log search',
  summary: 'Find what was logged: by digest, by key, by who signed.',
  description:
    'Looks into every shard of both logs, Rekor version 1 and 2, for entries for which all of what is given holds, and prints log, index (and the UUID of entries of version 1), time, kind, and who signed. A hundred at most. It finds, and proves nothing: verify a signature with its bundle.\nWith --url it asks the services there; otherwise it reads the folder of an installation, whether its server runs or not. Nothing found is exit 11.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    {
      text: 'Who signed this file',
      line: 'countersign log search --url https://sign.example.org --digest $(sha256sum release.tar.gz | cut -d" " -f1)',
    },
    { text: 'Everything that an identity signed, as JSON', line: 'countersign log search --email ada@example.org --report json' },
    { text: 'What a key signed, at the machine of the services', line: 'countersign log search --key cosign.pub --data /srv/countersign' },
  ],
  flags: [
    { name: 'digest', kind: 'text', value: 'DIGEST', help: 'what was signed: hexadecimal, perhaps as sha256:…', commandLineOnly: true },
    {
      name: 'key',
      kind: 'text',
      value: 'FILE|SHA256',
      help: 'by which key: the file of the public key or certificate (PEM), or the SHA-256 of it',
      commandLineOnly: true,
    },
    { name: 'identity', kind: 'text', value: 'NAME', help: 'by whom: a name in the certificate, whole', commandLineOnly: true },
    { name: 'email', kind: 'text', value: 'ADDRESS', help: 'by whom: an address in the certificate', commandLineOnly: true },
    { name: 'url', kind: 'text', value: 'URL', help: 'public URL of the services' },
    ...installationFlags,
  ],
  body: async () => (await import('../verbs/log-search.ts')).logSearch,
}
