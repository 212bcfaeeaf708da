/** `countersign load`: flags and help. */
import type { Command } from '../command/model.ts'
import { copyingFlags } from '../flags/copying.ts'

/** Copies a saved image to a registry. */
export const loadCommand: Command = {
  name: 'load',
  summary: 'Copy an image that "save" wrote, ours or cosign\'s, and everything that refers to it, to a registry.',
  description:
    'Trust in an archive is never used unless its fingerprint, which "save" printed, is given: whoever can change an archive can put trust of their own in.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'From a folder', line: 'countersign load --dir ./image mirror.example/app:1.2' },
    {
      text: 'From an archive, verified with a key at hand',
      line: 'countersign load --input app.tar --verify --key cosign.pub mirror.example/app:1.2',
    },
    {
      text: 'From an archive whose fingerprint is known, verified with the trust in it',
      line: 'countersign load --input app.tar --fingerprint sha256:… --use-archive-trust mirror.example/app:1.2',
    },
  ],
  flags: [
    { name: 'dir', kind: 'text', value: 'DIR[:TAG]', help: 'layout folder', commandLineOnly: true },
    { name: 'input', kind: 'text', value: 'FILE[:TAG]', help: 'archive (tar)', commandLineOnly: true },
    {
      name: 'fingerprint',
      kind: 'text',
      value: 'DIGEST',
      help: 'the archive must be the one that has this fingerprint',
      commandLineOnly: true,
    },
    {
      name: 'use-archive-trust',
      kind: 'boolean',
      help: 'verify with trusted root, policy and keys of the archive; needs --fingerprint',
      commandLineOnly: true,
    },
    {
      name: 'extract-trust',
      kind: 'text',
      value: 'DIR',
      help: 'write trusted root, policy and keys of the archive into a folder; needs --fingerprint',
      commandLineOnly: true,
    },
    ...copyingFlags,
  ],
  body: async () => (await import('../verbs/load.ts')).load,
}
