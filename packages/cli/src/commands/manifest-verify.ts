/** `countersign dockerfile verify` and `countersign manifest verify`: flags and help. */
import type { Command, Flag } from '../command/model.ts'
import { failOnFlag, manifestFlags } from '../flags/batch.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { checkNameFlag, demandFlags, imageDemandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'

/** Everything that `verify` takes, but for what speaks of one image. */
const verifyFlags: readonly Flag[] = [
  ...manifestFlags,
  failOnFlag,
  ...policyFlags,
  ...signerFlags,
  ...demandFlags,
  ...imageDemandFlags.filter(({ name }) => name !== 'local-image'),
  checkNameFlag,
  ...['local-image', 'payload', 'signature'].map((name): Flag => ({
    name,
    kind: name === 'local-image' ? 'boolean' : 'text',
    hidden: true,
    help: 'of a single image',
    refused: { code: 'not_supported', hint: 'Verify a single image with "countersign verify".' },
  })),
  signatureRepositoryFlag,
  ...registryFlags,
]

/** What variables in files stand for. */
export const variableFlags: readonly Flag[] = [
  { name: 'build-arg', kind: 'list', value: 'NAME=VALUE', help: 'build argument of a Dockerfile', commandLineOnly: true },
  { name: 'env-file', kind: 'text', value: 'FILE', help: 'variables of a Compose file; otherwise .env beside it', path: true },
]

/** Verifies the images of Dockerfiles. */
export const dockerfileVerifyCommand: Command = {
  name: 'dockerfile verify',
  summary: 'Verify the images that Dockerfiles are built from.',
  description:
    'These are the images of FROM, of COPY --from and RUN --mount=from, and the frontend of "# syntax=". Build stages and scratch are none.\nVariables have the values of --build-arg, else of ARG, else of the environment. A Dockerfile in which nothing is verified is a failure.',
  subjects: 'FILE…',
  least: 1,
  most: 10_000,
  examples: [
    { text: 'Verify before building', line: 'countersign dockerfile verify --key cosign.pub Dockerfile' },
    { text: 'Only what the final stage is based on', line: 'countersign dockerfile verify --key cosign.pub --base-image-only Dockerfile' },
    { text: 'With a build argument', line: 'countersign dockerfile verify --key cosign.pub --build-arg VERSION=1.2 Dockerfile' },
  ],
  flags: [
    { name: 'base-image-only', kind: 'boolean', help: 'only the image that the final stage is based on', commandLineOnly: true },
    { name: 'insecure-ignore-frontend', kind: 'boolean', help: 'do without the image of "# syntax="', commandLineOnly: true },
    ...variableFlags,
    ...verifyFlags,
  ],
  body: async () => (await import('../verbs/manifest-verify.ts')).verifyDockerfiles,
}

/** Verifies the images of manifests. */
export const manifestVerifyCommand: Command = {
  name: 'manifest verify',
  summary: 'Verify the images that Kubernetes objects, Compose files, Helm values or lists name.',
  description:
    'In Kubernetes every container of every kind counts, custom resources and image volumes included. - reads stdin.\nA file in which nothing is verified is a failure.',
  subjects: 'FILE…',
  least: 1,
  most: 10_000,
  examples: [
    { text: 'Verify before deploying', line: 'countersign manifest verify --key cosign.pub deployment.yaml' },
    { text: 'What a chart renders to', line: 'helm template ./chart | countersign manifest verify --key cosign.pub -' },
    { text: 'A Compose file', line: 'countersign manifest verify --policy policy.yaml --key release.pub compose.yaml' },
  ],
  flags: [...variableFlags, ...verifyFlags],
  body: async () => (await import('../verbs/manifest-verify.ts')).verifyManifests,
}
