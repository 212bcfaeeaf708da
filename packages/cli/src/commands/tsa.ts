/** `countersign tsa …`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Vouches for the clock. */
export const tsaConfirmClockCommand: Command = {
  name: 'tsa confirm-clock',
  summary: 'Say that the clock of this machine is right, so that a timestamp authority stamps again.',
  description:
    'Without time sources, the timestamp authority stops when the clock was set, or the machine slept: it cannot know which time is right. Look at the clock first. Works while the server runs, on its machine, and is in the audit log. Time sources, where configured (tsa.clockSources), have the last word.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'After the machine slept', line: 'countersign tsa confirm-clock' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/tsa.ts')).tsaConfirmClock,
}
