/** `countersign policy export`: flags and help. */
import type { Command } from '../command/model.ts'

/** Our policy to other tools' ones. */
export const policyExportCommand: Command = {
  name: 'policy export',
  summary: 'Write a policy for another tool.',
  description:
    'Everything that the other tool cannot say is listed on stderr with its place in the policy. What would accept more than the policy is not written without --accept-weaker, and then says so in a comment where the format has one.',
  subjects: 'POLICY',
  least: 1,
  most: 1,
  examples: [
    { text: 'For Kyverno', line: 'countersign policy export --to kyverno --out kyverno.yaml policy.yaml' },
    { text: 'For Podman and CRI-O', line: 'countersign policy export --to containers-policy --key alice.pub policy.yaml' },
  ],
  flags: [
    {
      name: 'to',
      kind: 'text',
      value: 'TOOL',
      help: 'what to write',
      choices: ['kyverno', 'kyverno-ivp', 'cluster-image-policy', 'notary-trust-policy', 'containers-policy', 'cosign'],
    },
    { name: 'key', kind: 'list', value: 'KEY', help: 'public key that the policy asks for by name or fingerprint', path: true },
    { name: 'image', kind: 'text', value: 'IMAGE', help: 'with --to cosign: image that the commands verify', default: 'IMAGE' },
    {
      name: 'rekor-public-key',
      kind: 'text',
      value: 'FILE',
      help: 'with --to containers-policy: where the key of the log is on those machines',
    },
    { name: 'fulcio-ca', kind: 'text', value: 'FILE', help: 'with --to containers-policy: where the root of Fulcio is on those machines' },
    { name: 'accept-weaker', kind: 'boolean', help: 'write what accepts more than the policy', commandLineOnly: true },
    { name: 'out', kind: 'text', value: 'FILE', help: 'where to write it; - is stdout', default: '-', path: true },
    { name: 'force', kind: 'boolean', help: 'write over a file that is there', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/policy-export.ts')).exportOnePolicy,
}
