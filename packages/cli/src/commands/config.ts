/** `countersign config view` and `countersign config check`: flags and help. */
import type { Command } from '../command/model.ts'

/** Shows the values in force. */
export const configViewCommand: Command = {
  name: 'config view',
  summary: 'Show which flags are in force for a verb, and where each comes from.',
  description:
    'A flag that is typed wins over a variable (see "countersign env"), a variable over the profile, the profile over the default. Flags behind -- are taken as if they had been typed. Secrets are named, not shown.\nWithout a verb: everything that the profile and the environment hold.',
  subjects: '[VERB] [-- FLAGS]',
  least: 0,
  most: 200,
  examples: [
    { text: 'What "verify" would use here', line: 'countersign config view verify' },
    { text: 'The same with another profile and a flag', line: 'countersign config view --profile staging verify -- --timeout 10s' },
    { text: 'For a program', line: 'countersign config view --report json verify' },
  ],
  flags: [],
  body: async () => (await import('../verbs/config-view.ts')).configView,
}

/** Checks a profile. */
export const configCheckCommand: Command = {
  name: 'config check',
  summary: 'Check the profile in force, or another.',
  description:
    'Reads all of it, every name under "profiles" too, and says with line and column what is wrong, and which files it names that are not there.',
  subjects: '[FILE]',
  least: 0,
  most: 1,
  examples: [
    { text: 'The profile in force', line: 'countersign config check' },
    { text: 'A file, before it is committed', line: 'countersign config check countersign.yaml' },
  ],
  flags: [],
  body: async () => (await import('../verbs/config-check.ts')).configCheck,
}
