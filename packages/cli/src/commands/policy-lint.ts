/** `countersign policy lint`: flags and help. */
import type { Command } from '../command/model.ts'

/** Checks policies. */
export const policyLintCommand: Command = {
  name: 'policy lint',
  summary: 'Check policies: well formed, and nothing suspicious in them.',
  description:
    'Says, with line and column, what does not parse, accepts everybody, can never be satisfied, has expired, or demands nothing.',
  subjects: 'FILE…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Check a policy and the keys that it names', line: 'countersign policy lint --key alice.pub --key bob.pub policy.yaml' },
  ],
  flags: [{ name: 'key', kind: 'list', value: 'KEY', help: 'public key that a policy asks for by name or fingerprint', path: true }],
  body: async () => (await import('../verbs/policy-lint.ts')).lintPolicies,
}
