/** `countersign download`: flags and help of its three verbs. */
import type { Command, Flag } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

const platformFlag: Flag = { name: 'platform', kind: 'text', value: 'OS/ARCH', help: 'of an index, the image of this platform' }

/** Prints signatures. */
export const downloadSignatureCommand: Command = {
  name: 'download signature',
  summary: 'Print the signatures of an image, one JSON object a line. Nothing is verified.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [{ text: 'Keep the signatures', line: 'countersign download signature registry.example/app:1.2 > signatures.jsonl' }],
  flags: [signatureRepositoryFlag, ...registryFlags],
  body: async () => (await import('../verbs/download.ts')).downloadSignature,
}

/** Prints attestations. */
export const downloadAttestationCommand: Command = {
  name: 'download attestation',
  summary: 'Print the attestations of an image, one JSON object a line. Nothing is verified.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Keep the attestations', line: 'countersign download attestation registry.example/app:1.2 > attestations.jsonl' },
    { text: 'Only SBOMs', line: 'countersign download attestation --predicate-type https://spdx.dev/Document registry.example/app:1.2' },
  ],
  flags: [
    { name: 'predicate-type', kind: 'text', value: 'TYPE', help: 'only attestations of this type: a name as for --type, or a URI' },
    platformFlag,
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/download.ts')).downloadAttestation,
}

/** Prints attached SBOMs. */
export const downloadSbomCommand: Command = {
  name: 'download sbom',
  summary: 'Print the SBOM attached to an image in the legacy layout (tag .sbom). Nothing is verified.',
  description: 'An attached SBOM is not signed. Prefer "countersign verify-attestation --type spdxjson".',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [{ text: 'Keep the SBOM', line: 'countersign download sbom registry.example/app:1.2 > sbom.spdx.json' }],
  flags: [platformFlag, signatureRepositoryFlag, ...registryFlags],
  body: async () => (await import('../verbs/download.ts')).downloadSbom,
}
