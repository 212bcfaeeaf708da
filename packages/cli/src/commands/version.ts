/** `countersign version`: flags and help. */
import type { Command } from '../command/model.ts'

/** Prints the version. */
export const versionCommand: Command = {
  name: 'version',
  summary: 'Print the version.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'For programs', line: 'countersign version --json' }],
  flags: [{ name: 'json', kind: 'boolean', help: 'as JSON', commandLineOnly: true }],
  body: async () => (await import('../verbs/version.ts')).versionVerb,
}
