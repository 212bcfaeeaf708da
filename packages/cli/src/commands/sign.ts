/** `countersign sign`: flags and help. */
import type { Command } from '../command/model.ts'
import { referrersModeFlag, registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { imageSigningFlags, signingFlags } from '../flags/signing.ts'
import { keyFirst } from '../signing/key-first.ts'

/** Signs images by digest. */
export const signCommand: Command = {
  name: 'sign',
  summary: 'Sign container images.',
  description:
    'A tag is resolved to its digest, and the digest is signed. What was written is read back and verified.\nSigning again with the same key and content adds nothing. Only the registry is contacted.',
  subjects: 'IMAGE…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Sign an image in a registry', line: 'countersign sign --key cosign.key registry.example/app@sha256:…' },
    { text: 'Sign an image of several platforms and each of them', line: 'countersign sign --key cosign.key -r registry.example/app:1.2' },
    { text: 'Sign an image in a layout folder, with annotations', line: 'countersign sign --key cosign.key -a build=42 oci:./image:1.2' },
    { text: 'Sign for readers of the older form too', line: 'countersign sign --key cosign.key --layout both registry.example/app:1.2' },
    {
      text: 'Sign for 90 days, and for this repository and its mirrors alone',
      line: 'countersign sign --key cosign.key --bind-name --expires 90d registry.example/app:1.2',
    },
    { text: 'Take the key from the environment', line: 'countersign sign --key env://SIGNING_KEY registry.example/app:1.2' },
  ],
  flags: [
    ...signingFlags,
    ...imageSigningFlags,
    { name: 'annotations', short: 'a', kind: 'csv', value: 'KEY=VALUE', help: 'signed along with the image' },
    {
      name: 'expires',
      kind: 'text',
      value: 'DURATION|TIME',
      help: 'until when the signature holds, as in 90d, 12h or 2027-01-31T00:00:00Z',
    },
    {
      name: 'bind-name',
      kind: 'text',
      value: 'NAME',
      bare: '*',
      help: 'sign the name of the repository too; of several images each its own: --bind-name=own; another one: --bind-name=REGISTRY/REPOSITORY',
    },
    { name: 'recursive', short: 'r', kind: 'boolean', help: 'sign every manifest of an index too' },
    {
      name: 'upload',
      kind: 'boolean',
      help: 'store the signature beside the image; false only makes it',
      default: 'true',
      commandLineOnly: true,
    },
    { name: 'output-signature', kind: 'text', value: 'FILE', hidden: true, help: 'write the signature, base64', commandLineOnly: true },
    { name: 'output-payload', kind: 'text', value: 'FILE', hidden: true, help: 'write what was signed', commandLineOnly: true },
    {
      name: 'output-certificate',
      kind: 'text',
      hidden: true,
      help: 'write the certificate',
      idle: 'the certificate of a signature without --key is in its bundle',
    },
    { name: 'sign-container-identity', kind: 'text', value: 'NAME', hidden: true, help: 'name to sign in the legacy layout' },
    {
      name: 'payload',
      kind: 'text',
      hidden: true,
      help: 'payload to sign',
      refused: { code: 'not_supported', hint: 'Sign without it; what is signed is always made from the digest of the image.' },
    },
    {
      name: 'attachment',
      kind: 'text',
      hidden: true,
      help: 'what is attached',
      refused: { code: 'not_supported', hint: 'Sign the attached artifact by its own digest.' },
    },
    signatureRepositoryFlag,
    referrersModeFlag,
    ...registryFlags,
  ],
  body: async () => keyFirst(async () => (await import('../verbs/sign.ts')).sign),
}
