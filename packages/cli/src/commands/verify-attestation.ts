/** `countersign verify-attestation`: flags and help. */
import type { Command } from '../command/model.ts'
import { batchFlags, failOnFlag, manifestFlags } from '../flags/batch.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { attestationTypeFlag } from '../flags/attestation-type.ts'
import { demandFlags, imageDemandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** Verifies attestations of images. */
export const verifyAttestationCommand: Command = {
  name: 'verify-attestation',
  summary: 'Verify attestations of container images.',
  description: 'On a pipe the envelopes of the accepted attestations are printed, one JSON object a line.',
  subjects: 'IMAGE…',
  least: 1,
  insteadOfSubjects: 'file',
  most: 10_000,
  examples: [
    { text: 'Verify an SBOM', line: 'countersign verify-attestation --key cosign.pub --type spdxjson registry.example/app:1.2' },
    {
      text: 'Read the predicate',
      line: 'countersign verify-attestation --key cosign.pub --type spdxjson registry.example/app:1.2 | jq -r .payload | base64 -d | jq .predicate',
    },
    { text: 'Judge by a policy', line: 'countersign verify-attestation --policy policy.yaml --key ci.pub registry.example/app:1.2' },
  ],
  flags: [
    ...batchFlags,
    ...manifestFlags,
    failOnFlag,
    ...policyFlags,
    ...signerFlags,
    attestationTypeFlag,
    ...demandFlags,
    ...imageDemandFlags,
    {
      name: 'certificate',
      kind: 'text',
      hidden: true,
      help: 'certificate of the signer',
      refused: {
        code: 'not_supported',
        hint: 'Verify without it; certificates are read from the attestation, and must chain to the trusted root.',
      },
    },
    {
      name: 'cert',
      kind: 'text',
      hidden: true,
      alias: 'certificate',
      help: 'the same',
      refused: {
        code: 'not_supported',
        hint: 'Verify without it; certificates are read from the attestation, and must chain to the trusted root.',
      },
    },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/verify.ts')).verifyImageAttestations,
}
