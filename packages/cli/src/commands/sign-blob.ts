/** `countersign sign-blob`: flags and help. */
import type { Command } from '../command/model.ts'
import { signingFlags } from '../flags/signing.ts'

/** Signs files. */
export const signBlobCommand: Command = {
  name: 'sign-blob',
  summary: 'Sign files.',
  description:
    'Files are read once, as a stream: any size takes the same memory. With --bundle FILE one signature is written there,\nover all files together and over everything in folders. Without it several files each get FILE.sigstore.json beside them,\nand of one file the detached signature is printed.',
  subjects: 'FILE…',
  least: 1,
  most: 10_000,
  examples: [
    { text: 'Sign a file', line: 'countersign sign-blob --key cosign.key --bundle app.tar.gz.sigstore.json app.tar.gz' },
    { text: 'Sign several files, each with a bundle beside it', line: 'countersign sign-blob --key cosign.key dist/a.zip dist/b.zip' },
    { text: 'Sign a whole folder with one signature', line: 'countersign sign-blob --key cosign.key --bundle release.sigstore.json dist/' },
    { text: 'Sign what comes from stdin', line: 'tar c src | countersign sign-blob --key cosign.key --bundle src.sigstore.json -' },
  ],
  flags: [
    ...signingFlags,
    { name: 'output-signature', kind: 'text', value: 'FILE', help: 'write the detached signature to a file', commandLineOnly: true },
    { name: 'output', kind: 'text', hidden: true, alias: 'output-signature', help: 'the same', commandLineOnly: true },
    {
      name: 'output-certificate',
      kind: 'text',
      hidden: true,
      help: 'write the certificate',
      idle: 'the certificate of a signature without --key is in its bundle',
    },
    {
      name: 'b64',
      kind: 'boolean',
      hidden: true,
      help: 'detached signature in base64, otherwise raw',
      default: 'true',
      commandLineOnly: true,
    },
    { name: 'signing-algorithm', kind: 'text', hidden: true, help: 'algorithm', idle: 'the algorithm comes from the key' },
    { name: 'rfc3161-timestamp', kind: 'text', hidden: true, help: 'write the timestamp', idle: 'no timestamp service is used' },
  ],
  body: async () => (await import('../verbs/sign-blob.ts')).signBlobs,
}
