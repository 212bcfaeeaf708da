/** `countersign attest-blob`: flags and help. */
import type { Command } from '../command/model.ts'
import { signingFlags, statementFlags } from '../flags/signing.ts'

/** Attests something about a file. */
export const attestBlobCommand: Command = {
  name: 'attest-blob',
  summary: 'Attest something about files.',
  description:
    'With --bundle FILE a Sigstore bundle is written; otherwise the signed envelope is printed.\nSeveral files and folders are named by one statement.',
  subjects: 'FILE…',
  least: 0,
  most: 10_000,
  examples: [
    {
      text: 'Attest an SBOM of a file',
      line: 'countersign attest-blob --key cosign.key --type cyclonedx --predicate bom.json --bundle app.att.json app.tar.gz',
    },
    {
      text: 'Attest how a whole release was built',
      line: 'countersign attest-blob --key cosign.key --type slsaprovenance1 --predicate p.json --bundle dist.att.json dist/',
    },
    {
      text: 'Attest a file of which only the digest is known',
      line: 'countersign attest-blob --key cosign.key --predicate p.json --hash 98ea6e4f… --bundle app.att.json app.tar.gz',
    },
    {
      text: 'Sign a whole statement as it is',
      line: 'countersign attest-blob --key cosign.key --statement statement.json --bundle app.att.json',
    },
  ],
  flags: [
    ...signingFlags,
    ...statementFlags,
    { name: 'hash', kind: 'text', value: 'HEX', help: 'SHA-256 of the file, which is then not read', commandLineOnly: true },
    { name: 'output-attestation', kind: 'text', value: 'FILE', help: 'write the statement', commandLineOnly: true },
    { name: 'output-signature', kind: 'text', value: 'FILE', hidden: true, help: 'write the signed envelope', commandLineOnly: true },
    {
      name: 'output-certificate',
      kind: 'text',
      hidden: true,
      help: 'write the certificate',
      idle: 'the certificate of a signature without --key is in its bundle',
    },
    { name: 'rfc3161-timestamp', kind: 'text', hidden: true, help: 'write the timestamp', idle: 'no timestamp service is used' },
  ],
  body: async () => (await import('../verbs/attest-blob.ts')).attestBlobVerb,
}
