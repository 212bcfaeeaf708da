/** `countersign backup` and `countersign restore`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

/** Saves an installation. */
export const backupCommand: Command = {
  name: 'backup',
  summary: 'Save an installation, while its server runs, in one encrypted archive.',
  description:
    'Database, logs, keys (sealed as they are) and configuration, as of one moment. The archive is encrypted under the passphrase of the installation, which is not in it: keep that elsewhere. A restored backup never continues a log, so that an old one loses what came after it, and forks nothing.',
  subjects: 'FILE',
  least: 1,
  most: 1,
  examples: [{ text: 'Every night', line: 'countersign backup --data /srv/countersign "/backup/countersign-$(date +%F).backup"' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/backup.ts')).backup,
}

/** Makes an installation of a backup. */
export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Make an installation of a backup, in an empty folder.',
  description:
    'Everything is proven before it is there: digests, every log, the audit log. Each log is then frozen as it was saved, since more may have been signed after the backup, and continued by a shard with a new key, which the trust root names beside the old one: what was signed before stays valid. Links, sessions and the witness start anew.',
  subjects: 'FILE',
  least: 1,
  most: 1,
  examples: [
    {
      text: 'On a new machine',
      line: 'countersign restore --data /srv/countersign --passphrase file:/etc/countersign/passphrase countersign.backup',
    },
  ],
  flags: installationFlags,
  body: async () => (await import('../verbs/backup.ts')).restore,
}
