/** `countersign doctor`: flags and help. */
import type { Command } from '../command/model.ts'
import { registryFlags, signatureRepositoryFlag } from '../flags/registry.ts'

/** Finds and repairs what is wrong with how signatures are stored. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Find what is wrong with how the signatures of images are stored, and repair it.',
  description:
    'Finds lost and malformed fallback indexes, entries that other tools do not see, missing blobs, signatures that an interrupted writer left half-way, and says of each who does not see what. Nothing is verified.\n--fix repairs what needs no key and loses nothing; it may run beside signers. Exit 0: healthy; 1: findings are left; 14: not everything could be read; 15: content was altered.',
  subjects: 'IMAGE…',
  least: 1,
  most: 1000,
  examples: [
    { text: 'Look', line: 'countersign doctor registry.example/app:1.2' },
    {
      text: 'Say what would be repaired, of every image of an index',
      line: 'countersign doctor -r --fix --dry-run registry.example/app:1.2',
    },
    { text: 'Repair', line: 'countersign doctor --fix registry.example/app:1.2' },
    { text: 'A whole repository', line: 'countersign doctor --all registry.example/app' },
    { text: 'As annotations of a CI run', line: 'countersign doctor --report sarif=doctor.sarif registry.example/app:1.2' },
  ],
  flags: [
    { name: 'fix', kind: 'boolean', help: 'repair what needs no key', commandLineOnly: true },
    { name: 'dry-run', kind: 'boolean', help: 'with --fix: write nothing, say what would be repaired', commandLineOnly: true },
    { name: 'recursive', short: 'r', kind: 'boolean', help: 'every image of an index too' },
    { name: 'all', kind: 'boolean', help: 'every image of the repository that a tag of signatures names, also one that was deleted' },
    signatureRepositoryFlag,
    ...registryFlags,
  ],
  body: async () => (await import('../verbs/doctor.ts')).doctor,
}
