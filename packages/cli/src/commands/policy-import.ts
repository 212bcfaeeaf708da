/** `countersign policy import`: flags and help. */
import type { Command } from '../command/model.ts'

/** Other tools' policies to ours. */
export const policyImportCommand: Command = {
  name: 'policy import',
  summary: 'Make a policy of those of other tools.',
  description:
    'Reads ClusterPolicy and ImageValidatingPolicy of Kyverno, ClusterImagePolicy of policy-controller, trustpolicy.json of Notary Project, policy.json of containers, and commands of cosign.\nEverything that cannot be carried over is listed on stderr with its place. A policy that would accept more than the source is not written without --accept-weaker.',
  subjects: 'FILE…',
  least: 0,
  most: 1000,
  examples: [
    { text: 'Make one policy of two', line: 'countersign policy import --out policy.yaml kyverno.yaml cluster-image-policy.yaml' },
    {
      text: 'Make a policy of a command of cosign',
      line: 'countersign policy import --cosign "verify --key cosign.pub registry.example/app:1.2" --out policy.yaml',
    },
  ],
  flags: [
    { name: 'cosign', kind: 'text', value: 'COMMAND', help: 'command of cosign, in place of files', commandLineOnly: true },
    {
      name: 'image',
      kind: 'list',
      value: 'GLOB',
      help: 'with --cosign: images that the policy speaks of, in place of those that it names',
    },
    {
      name: 'unmatched',
      kind: 'text',
      value: 'DECISION',
      help: 'what other images come to',
      choices: ['allow', 'warn', 'deny'],
      default: 'as there, else deny',
    },
    { name: 'accept-weaker', kind: 'boolean', help: 'write a policy that accepts more than the source', commandLineOnly: true },
    { name: 'name', kind: 'text', value: 'NAME', help: 'what the policy is called', default: 'imported' },
    {
      name: 'key',
      kind: 'list',
      value: 'KEY',
      help: 'public key that the policy will ask for by name, so that all of it can be checked',
      path: true,
    },
    { name: 'out', kind: 'text', value: 'FILE', help: 'where to write it; - is stdout', default: '-', path: true },
    { name: 'force', kind: 'boolean', help: 'write over a file that is there', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/policy-import.ts')).importPolicy,
}
