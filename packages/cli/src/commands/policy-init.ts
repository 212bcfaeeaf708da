/** `countersign policy init`: flags and help. */
import type { Command } from '../command/model.ts'

/** Writes a first policy. */
export const policyInitCommand: Command = {
  name: 'policy init',
  summary: 'Write the policy of a trusted publisher.',
  description:
    'With --github or --gitlab: artifacts are accepted when that pipeline, for that branch or tag, signed them. With --key: when the holders of the keys did.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    {
      text: 'Accept what the release workflow signed on main',
      line: 'countersign policy init --github acme/app --workflow release.yml --branch main --event push --image "registry.example.com/acme/**"',
    },
    {
      text: 'Accept what GitLab CI signed for a tag',
      line: 'countersign policy init --gitlab acme/tools/app --workflow .gitlab-ci.yml --tag "v*" --image registry.example.com/acme/app',
    },
    {
      text: 'Two of three people',
      line: 'countersign policy init --key alice.pub --key bob.pub --key carol.pub --threshold 2 --image "registry.example.com/acme/**"',
    },
  ],
  flags: [
    { name: 'github', kind: 'text', value: 'ORG/REPO', help: 'repository whose workflow signs', commandLineOnly: true },
    { name: 'gitlab', kind: 'text', value: 'GROUP/PROJECT', help: 'project whose pipeline signs', commandLineOnly: true },
    { name: 'url', kind: 'text', value: 'URL', help: 'address of the forge, where it is not github.com or gitlab.com' },
    { name: 'issuer', kind: 'text', value: 'URL', help: 'who vouches for the pipeline, where it is not the usual one of the forge' },
    {
      name: 'workflow',
      kind: 'text',
      value: 'FILE',
      help: 'file of the pipeline; default .gitlab-ci.yml for GitLab',
      commandLineOnly: true,
    },
    { name: 'branch', kind: 'text', value: 'NAME', help: 'branch whose builds are accepted', commandLineOnly: true },
    { name: 'tag', kind: 'text', value: 'GLOB', help: 'tags whose builds are accepted', commandLineOnly: true },
    {
      name: 'event',
      kind: 'list',
      value: 'NAME',
      help: 'event that must have started the build, such as push; any of several',
      commandLineOnly: true,
    },
    { name: 'runner', kind: 'text', value: 'KIND', help: 'runner that must have built, such as github-hosted', commandLineOnly: true },
    { name: 'key', kind: 'list', value: 'KEY', help: 'public key of a person who signs', path: true, commandLineOnly: true },
    { name: 'threshold', kind: 'number', value: 'N', help: 'how many of the keys must have signed', default: '1', commandLineOnly: true },
    { name: 'image', kind: 'list', value: 'GLOB', help: 'images that the policy speaks of', commandLineOnly: true },
    { name: 'file', kind: 'list', value: 'GLOB', help: 'files that the policy speaks of', commandLineOnly: true },
    { name: 'attestation', kind: 'list', value: 'TYPE', help: 'attestation that must be there too', commandLineOnly: true },
    { name: 'name', kind: 'text', value: 'NAME', help: 'what the policy is called', default: 'publisher' },
    {
      name: 'out',
      kind: 'text',
      value: 'FILE',
      help: 'where to write it; - is stdout',
      default: 'policy.yaml',
      path: true,
      commandLineOnly: true,
    },
    { name: 'force', kind: 'boolean', help: 'write over a file that is there', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/policy-init.ts')).initPolicy,
}
