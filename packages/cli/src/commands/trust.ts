/** `countersign trust …`: flags and help. */
import type { Command, Flag } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

const beside = 'Works while the server runs, and needs its data folder. Everything is in the audit log.'

const keysOf = (role: string): readonly Flag[] => [
  {
    name: `${role}-key`,
    kind: 'list',
    value: 'FILE',
    help: `public key (PEM, P-256) of the role ${role}; may be given several times`,
    path: true,
    commandLineOnly: true,
  },
  { name: `${role}-threshold`, kind: 'number', value: 'N', help: `how many of them must sign`, default: '1', commandLineOnly: true },
]

/** Show the trust root: versions, keys, what waits for signatures, every trusted instance. */
export const trustStatusCommand: Command = {
  name: 'trust status',
  summary: 'Show the trust root: versions, keys, what waits for signatures, every trusted instance.',
  description: beside,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'What is in force', line: 'countersign trust status' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/trust.ts')).trustStatus,
}

/** Write the file that holders of offline keys sign. */
export const trustProposeCommand: Command = {
  name: 'trust propose',
  summary: 'Write the file that holders of offline keys sign.',
  description: `ROLE is root or targets. For the root a proposal is made where none waits: with the keys that are named for any role, and a new lifetime. Nothing is in force before "countersign trust publish".\n${beside}`,
  subjects: 'ROLE FILE',
  least: 2,
  most: 2,
  examples: [
    {
      text: 'Two of three people for the root',
      line: 'countersign trust propose root root.json --root-key a.pub --root-key b.pub --root-key c.pub --root-threshold 2',
    },
  ],
  flags: [...keysOf('root'), ...keysOf('targets'), ...keysOf('snapshot'), ...keysOf('timestamp'), ...installationFlags],
  body: async () => (await import('../verbs/trust.ts')).trustPropose,
}

/** Sign a proposal with an offline key; needs no installation. */
export const trustSignCommand: Command = {
  name: 'trust sign',
  summary: 'Sign a proposal with an offline key; needs no installation.',
  description:
    'It says which keys or files clients will trust, before the key is opened: compare them with what was agreed. Only root and targets are signed. The key is a P-256 key as countersign generate-key-pair makes it.',
  subjects: 'FILE',
  least: 1,
  most: 1,
  examples: [{ text: 'At the machine that has the key', line: 'countersign trust sign --key root-a.key root.json' }],
  flags: [{ name: 'key', kind: 'text', value: 'KEY', help: 'private key', path: true, commandLineOnly: true }],
  body: async () => (await import('../verbs/trust.ts')).trustSign,
}

/** Take signed proposals back, and put into force what has enough signatures. */
export const trustPublishCommand: Command = {
  name: 'trust publish',
  summary: 'Take signed proposals back, and put into force what has enough signatures.',
  description: `Nothing changes for any client while signatures are missing.\n${beside}`,
  subjects: '[FILE…]',
  least: 0,
  most: 16,
  examples: [{ text: 'The files of two holders', line: 'countersign trust publish from-a.json from-b.json' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/trust.ts')).trustPublish,
}

/** Give up a proposal with its signatures. */
export const trustWithdrawCommand: Command = {
  name: 'trust withdraw',
  summary: 'Give up a proposal with its signatures.',
  description: beside,
  subjects: 'ROLE',
  least: 1,
  most: 1,
  examples: [{ text: 'Another root shall be proposed', line: 'countersign trust withdraw root' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/trust.ts')).trustWithdraw,
}
