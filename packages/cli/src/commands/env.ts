/** `countersign env`: flags and help. */
import type { Command } from '../command/model.ts'

/** Prints environment variables. */
export const envCommand: Command = {
  name: 'env',
  summary: 'Print the environment variables that are read.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'Only names and values', line: 'countersign env --show-descriptions=false' }],
  flags: [
    { name: 'show-descriptions', kind: 'boolean', help: 'say what each is for', default: 'true', commandLineOnly: true },
    { name: 'show-sensitive-values', kind: 'boolean', help: 'print secrets too', commandLineOnly: true },
  ],
  body: async () => (await import('../verbs/env.ts')).env,
}
