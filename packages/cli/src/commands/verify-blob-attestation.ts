/** `countersign verify-blob-attestation`: flags and help. */
import type { Command } from '../command/model.ts'
import { batchFlags, failOnFlag } from '../flags/batch.ts'
import { attestationTypeFlag } from '../flags/attestation-type.ts'
import { blobDemandFlags, demandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** Verifies attestations of files. */
export const verifyBlobAttestationCommand: Command = {
  name: 'verify-blob-attestation',
  summary: 'Verify attestations of files.',
  subjects: 'FILE…',
  least: 0,
  insteadOfSubjects: 'file',
  most: 10_000,
  examples: [
    {
      text: 'Verify an SBOM of a file',
      line: 'countersign verify-blob-attestation --key cosign.pub --type cyclonedx --bundle app.att.json app.tar.gz',
    },
    {
      text: 'Verify without the file',
      line: 'countersign verify-blob-attestation --key cosign.pub --bundle app.att.json --digest 98ea6e4f… --digestAlg sha256',
    },
    {
      text: 'Judge by a policy; bundles of several signers are FILE.NAME.sigstore.json',
      line: 'countersign verify-blob-attestation --policy policy.yaml --key alice.pub --key bob.pub dist/app.tar.gz',
    },
  ],
  flags: [
    ...batchFlags,
    failOnFlag,
    ...policyFlags,
    ...signerFlags,
    attestationTypeFlag,
    { name: 'check-claims', kind: 'boolean', help: 'whether the attestation must name this file', default: 'true', commandLineOnly: true },
    { name: 'digest', kind: 'text', value: 'HEX', help: 'digest in place of the file', commandLineOnly: true },
    { name: 'digestAlg', kind: 'text', value: 'NAME', help: 'algorithm of --digest: sha256, sha384 or sha512', commandLineOnly: true },
    ...demandFlags,
    ...blobDemandFlags,
  ],
  body: async () => (await import('../verbs/verify-blob.ts')).verifyBlobAttestations,
}
