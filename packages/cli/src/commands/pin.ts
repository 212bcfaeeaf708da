/** `countersign pin`: flags and help. */
import type { Command } from '../command/model.ts'
import { failOnFlag } from '../flags/batch.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'
import { checkNameFlag, demandFlags, imageDemandFlags, policyFlags, signerFlags } from '../flags/verifying.ts'
import { variableFlags } from './manifest-verify.ts'

/** Rewrites images to digests. */
export const pinCommand: Command = {
  name: 'pin',
  summary: 'Rewrite the images in files to the digests that were verified.',
  description:
    'Kubernetes objects, Compose files, Dockerfiles, Helm values and lists of images. Tags stay, for people: registry/app:1.2@sha256:…\nNothing else in a file changes. When one image cannot be verified or written, no file is written. - reads stdin and writes stdout.',
  subjects: 'FILE…',
  least: 1,
  most: 10_000,
  examples: [
    { text: 'Verify and pin', line: 'countersign pin --key release.pub deployment.yaml Dockerfile' },
    {
      text: 'In CI: fail on what is not pinned, has moved or is not signed',
      line: 'countersign pin --check --key release.pub deploy/*.yaml',
    },
    { text: 'Follow the tags to what they mean now', line: 'countersign pin --update --policy policy.yaml --key release.pub compose.yaml' },
  ],
  flags: [
    {
      name: 'check',
      kind: 'boolean',
      help: 'write nothing; fail when an image is not pinned, its tag has moved, or it is not verified',
      commandLineOnly: true,
    },
    { name: 'update', kind: 'boolean', help: 'also move what is pinned already to what its tag means now', commandLineOnly: true },
    { name: 'insecure-unverified', kind: 'boolean', help: 'pin to what the registry says, verified by nobody', commandLineOnly: true },
    {
      name: 'insecure-ignore-frontend',
      kind: 'boolean',
      help: 'leave the image of "# syntax=" in Dockerfiles as it is',
      commandLineOnly: true,
    },
    ...variableFlags,
    failOnFlag,
    checkNameFlag,
    ...policyFlags,
    ...signerFlags,
    ...demandFlags,
    ...imageDemandFlags.filter(({ name }) => !['local-image', 'output', 'check-claims'].includes(name)),
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/pin.ts')).pin,
}
