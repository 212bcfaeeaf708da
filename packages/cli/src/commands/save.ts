/** `countersign save`: flags and help. */
import type { Command } from '../command/model.ts'
import { copyingFlags } from '../flags/copying.ts'

/** Copies an image into a folder or an archive. */
export const saveCommand: Command = {
  name: 'save',
  summary: 'Copy an image and everything that refers to it into a layout folder, or into one archive that can also hold trust.',
  description:
    'The archive (--output) holds a list of its content; the digest of that list, its fingerprint, is printed. Tell it to the receiver by another way than the archive: then "countersign load --fingerprint" proves that nothing was changed.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Into a folder', line: 'countersign save --dir ./image registry.example/app:1.2' },
    {
      text: 'Into an archive for a closed network, with trusted root and policy',
      line: 'countersign save --output app.tar --with-trusted-root trusted_root.json --with-policy policy.yaml registry.example/app:1.2',
    },
  ],
  flags: [
    { name: 'dir', kind: 'text', value: 'DIR', help: 'layout folder, made if absent', commandLineOnly: true },
    { name: 'output', kind: 'text', value: 'FILE', help: 'archive (tar)', commandLineOnly: true },
    { name: 'with-trusted-root', kind: 'text', value: 'FILE', help: 'put a trusted root into the archive', path: true },
    { name: 'with-policy', kind: 'text', value: 'FILE', help: 'put a policy into the archive', path: true },
    { name: 'with-revocations', kind: 'list', value: 'FILE', help: 'put a revocation list into the archive', path: true },
    { name: 'with-key', kind: 'list', value: 'FILE', help: 'put a public key into the archive', path: true },
    ...copyingFlags,
  ],
  body: async () => (await import('../verbs/save.ts')).save,
}
