/** `countersign verify`: flags and help. */
import type { Command } from '../command/model.ts'
import { batchFlags, failOnFlag, manifestFlags } from '../flags/batch.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { checkNameFlag, demandFlags, imageDemandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** Verifies signatures of images. */
export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Verify signatures of container images.',
  description:
    'An image is verified when at least one of its signatures satisfies everything that was asked for. An attestation is not a signature.\nOn a terminal the result is a readable report; on a pipe, or with -o, it is what cosign prints.',
  subjects: 'IMAGE…',
  least: 1,
  insteadOfSubjects: 'file',
  most: 10_000,
  examples: [
    { text: 'Verify with a public key', line: 'countersign verify --key cosign.pub registry.example/app:1.2' },
    {
      text: 'Accept either of two keys, for example while one replaces the other',
      line: 'countersign verify --key old.pub --key new.pub registry.example/app:1.2',
    },
    {
      text: 'Verify who signed, by certificate',
      line: 'countersign verify --certificate-identity dev@example.org --certificate-oidc-issuer https://accounts.example.org registry.example/app:1.2',
    },
    { text: 'Judge by a policy', line: 'countersign verify --policy policy.yaml --key alice.pub --key bob.pub registry.example/app:1.2' },
    { text: 'Demand a log entry', line: 'countersign verify --key cosign.pub --trusted-root trusted_root.json registry.example/app:1.2' },
    { text: 'Verify everything that a deployment runs', line: 'countersign verify --key cosign.pub -f deployment.yaml' },
    {
      text: 'Verify each platform of an image',
      line: 'countersign verify --key cosign.pub --platform linux/amd64,linux/arm64 registry.example/app:1.2',
    },
    {
      text: 'Verify an image in a layout folder and keep the evidence',
      line: 'countersign verify --key cosign.pub --report json=evidence.json oci:./image:1.2',
    },
  ],
  flags: [
    ...batchFlags,
    ...manifestFlags,
    failOnFlag,
    ...policyFlags,
    ...signerFlags,
    ...demandFlags,
    ...imageDemandFlags,
    checkNameFlag,
    {
      name: 'signature',
      kind: 'text',
      value: 'FILE',
      help: 'detached signature over a simple-signing payload',
      commandLineOnly: true,
    },
    {
      name: 'payload',
      kind: 'text',
      value: 'FILE',
      help: 'the payload of --signature; without it the one that cosign makes',
      commandLineOnly: true,
    },
    { name: 'certificate', kind: 'text', value: 'FILE', hidden: true, help: 'certificate of --signature, PEM', commandLineOnly: true },
    { name: 'cert', kind: 'text', hidden: true, alias: 'certificate', help: 'the same', commandLineOnly: true },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/verify.ts')).verifyImages,
}
