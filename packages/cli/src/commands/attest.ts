/** `countersign attest`: flags and help. */
import type { Command } from '../command/model.ts'
import { referrersModeFlag, registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { imageSigningFlags, signingFlags, statementFlags } from '../flags/signing.ts'
import { keyFirst } from '../signing/key-first.ts'

/** Attests something about images. */
export const attestCommand: Command = {
  name: 'attest',
  summary: 'Attest something about container images.',
  description: 'The bytes of the predicate are kept as they are: no number and no field changes.',
  subjects: 'IMAGE…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Attest an SBOM', line: 'countersign attest --key cosign.key --type spdxjson --predicate sbom.json registry.example/app:1.2' },
    {
      text: 'Attest provenance read from stdin',
      line: 'make-provenance | countersign attest --key cosign.key --type slsaprovenance1 --predicate - registry.example/app:1.2',
    },
    {
      text: 'Attest with a type of your own',
      line: 'countersign attest --key cosign.key --type https://example.org/review/v1 --predicate review.json oci:./image:1.2',
    },
    {
      text: 'Sign a whole statement as it is',
      line: 'countersign attest --key cosign.key --statement statement.json registry.example/app@sha256:…',
    },
  ],
  flags: [
    ...signingFlags,
    ...statementFlags,
    ...imageSigningFlags,
    { name: 'no-upload', kind: 'boolean', help: 'print the attestation and store nothing', commandLineOnly: true },
    { name: 'recursive', short: 'r', kind: 'boolean', help: 'attest every manifest of an index too' },
    {
      name: 'replace',
      kind: 'boolean',
      hidden: true,
      help: 'legacy layout: drop earlier attestations of the same type',
      commandLineOnly: true,
    },
    signatureRepositoryFlag,
    referrersModeFlag,
    ...registryFlags,
  ],
  body: async () => keyFirst(async () => (await import('../verbs/attest.ts')).attest),
}
