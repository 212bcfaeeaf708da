/** `countersign policy test`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Judges cases by a policy. */
export const policyTestCommand: Command = {
  name: 'policy test',
  summary: 'Judge cases by a policy and compare with what they expect.',
  description:
    'A case names an artifact, who signed and attested what and when, and the verdict that must come out. Evidence is what the case says; nothing is\nfetched, unless a case asks to verify a real image or file. Exit code 13 when a verdict is not as expected, 2 when a case cannot be read.',
  subjects: 'CASES…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Judge the cases of a file by the policy that it names', line: 'countersign policy test policy-cases.yaml' },
    {
      text: 'In CI, by a given policy, and every rule must be satisfied and refused by some case',
      line: 'countersign policy test --policy policy.yaml --key alice.pub --require-coverage --report junit=policy.xml cases/*.yaml',
    },
  ],
  flags: [
    { name: 'policy', kind: 'text', value: 'FILE', help: 'policy to judge by, in place of the one that the cases name', path: true },
    { name: 'key', kind: 'list', value: 'KEY', help: 'public key that the policy asks for by name or fingerprint', path: true },
    { name: 'require-coverage', kind: 'boolean', help: 'fail when no case satisfies a rule, or no case makes it refuse' },
    { name: 'trusted-root', kind: 'text', value: 'FILE', help: 'trusted root, for cases that really verify', path: true },
    { name: 'revocations', kind: 'list', value: 'FILE', help: 'revocation list, for cases that really verify', path: true },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/policy-test.ts')).testPolicy,
}
