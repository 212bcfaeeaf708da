/** `countersign log …`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Proves the logs. */
export const logFsckCommand: Command = {
  name: 'log fsck',
  summary: 'Prove every log of an installation from what is stored of it.',
  description:
    'Every entry, every tile at every level, every published checkpoint under the key of the log, every row; certificates in the certificate transparency log with their issuers; the chain of the audit log. The first thing that is wrong is named, with what was expected and found, and nothing is repaired: exit 15. The server must be stopped.',
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    { text: 'After a crash of the machine, or before an upgrade', line: 'countersign log fsck' },
    { text: 'For a program', line: 'countersign log fsck --data /srv/countersign --report json' },
  ],
  flags: installationFlags,
  body: async () => (await import('../verbs/log.ts')).logFsck,
}
