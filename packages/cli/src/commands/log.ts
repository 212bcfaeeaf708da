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

/** Freezes a log. */
export const logFreezeCommand: Command = {
  name: 'log freeze',
  summary: 'Close a log for ever: it takes no more entries and stays readable.',
  description:
    'For a log whose key may be in other hands, or that shall end. To go on with the next shard: countersign log rotate. Works while the server runs.',
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [{ text: 'The first log of Rekor version 2', line: 'countersign log freeze rekor2-1' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/rotate.ts')).logFreeze,
}

/** Starts the next shard of a log. */
export const logRotateCommand: Command = {
  name: 'log rotate',
  summary: 'Start the next shard of a log, under a new key.',
  description:
    'The shard before is frozen when the running server has changed over, within seconds; both are in the trust root, and what is in the old one stays valid and readable.',
  subjects: 'LOG',
  least: 1,
  most: 1,
  examples: [{ text: 'The log of Rekor version 2', line: 'countersign log rotate rekor2' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/rotate.ts')).logRotate,
}
