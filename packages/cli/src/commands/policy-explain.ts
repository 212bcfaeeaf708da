/** `countersign policy explain`: flags and help. */
import type { Command } from '../command/model.ts'

/** A policy in words. */
export const policyExplainCommand: Command = {
  name: 'policy explain',
  summary: 'Say a policy in words, and which of its rules an image or file falls under.',
  description: 'Nothing is fetched and nothing verified: what a verification does, step by step, is said by "countersign explain".',
  subjects: 'POLICY [IMAGE…]',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Say what a policy demands', line: 'countersign policy explain --key alice.pub --key bob.pub policy.yaml' },
    {
      text: 'Say which of its rules apply to an image',
      line: 'countersign policy explain --key alice.pub policy.yaml registry.example/team/app:1.2',
    },
  ],
  flags: [
    { name: 'key', kind: 'list', value: 'KEY', help: 'public key that the policy asks for by name or fingerprint', path: true },
    { name: 'file', kind: 'list', value: 'PATH', help: 'file in place of an image' },
    { name: 'media-type', kind: 'text', value: 'TYPE', help: 'media type of the image or file' },
  ],
  body: async () => (await import('../verbs/policy-explain.ts')).explainPolicies,
}
