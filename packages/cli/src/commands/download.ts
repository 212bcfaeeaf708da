/** `countersign download`: flags and help of its three verbs. */
import type { Command, Flag } from '../command/model.ts'
import { attestationTypeFlag } from '../flags/attestation-type.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { demandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

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
  summary: 'Print the attestations of an image, one JSON object a line.',
  description:
    'With --key, an identity or --policy only what it proves is printed, as verify-attestation prints it. Without any nothing is verified.',
  subjects: 'IMAGE',
  least: 1,
  most: 1,
  examples: [
    { text: 'Keep the attestations', line: 'countersign download attestation registry.example/app:1.2 > attestations.jsonl' },
    {
      text: 'The SBOM that the build signed, ready to be read',
      line: 'countersign download attestation --key ci.pub --type spdxjson --predicate-only registry.example/app:1.2 > sbom.json',
    },
    {
      text: 'Only SBOMs, unverified',
      line: 'countersign download attestation --predicate-type https://spdx.dev/Document registry.example/app:1.2',
    },
  ],
  flags: [
    { ...attestationTypeFlag, help: `only attestations of this type: ${attestationTypeFlag.help}`, default: 'any' },
    { name: 'predicate-type', kind: 'text', value: 'TYPE', help: 'the same, as cosign calls it' },
    { name: 'predicate-only', kind: 'boolean', help: 'print the predicates alone, as they were signed', commandLineOnly: true },
    platformFlag,
    ...policyFlags,
    ...signerFlags,
    ...demandFlags,
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
