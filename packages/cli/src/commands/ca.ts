/** `countersign ca …`: flags and help. */
import type { Command } from '../command/model.ts'
import { installationFlags } from '../flags/services.ts'

const beside = 'Works while the server runs, and needs its data folder. Everything is in the audit log.'

/** Lists authorities. */
export const caListCommand: Command = {
  name: 'ca list',
  summary: 'List root and intermediates of the certificate authority.',
  description: beside,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'All of them, and which issues', line: 'countersign ca list' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca.ts')).caList,
}

/** Makes an intermediate. */
export const caIntermediateCommand: Command = {
  name: 'ca intermediate',
  summary: 'Make the next intermediate, and have clients trust it; it does not issue yet.',
  description: `Needs the key of the root: where it was taken out, its file. Give clients a day to fetch the new trust root before "countersign ca activate".\nA root on a machine without network signs there what "countersign ca csr" asked for: with --request no installation is needed, and the chain for "countersign ca import" is printed.\n${beside}`,
  subjects: '',
  least: 0,
  most: 0,
  examples: [
    { text: 'The first half of a rotation', line: 'countersign ca intermediate' },
    { text: 'With a root that is kept offline', line: 'countersign ca intermediate --root-key /media/stick/root.key' },
    {
      text: 'On the machine without network that has the root',
      line: 'countersign ca intermediate --root-key root.key --request intermediate.csr > chain.pem',
    },
  ],
  flags: [
    {
      name: 'root-key',
      kind: 'text',
      value: 'FILE',
      help: 'key of the root that "countersign ca export-root" wrote; it is used once and not kept',
      default: 'the key of the root here',
      commandLineOnly: true,
    },
    {
      name: 'root-certificate',
      kind: 'text',
      value: 'FILE',
      help: 'certificate of the root, with --request',
      default: 'beside the key, NAME.crt to NAME.key',
      commandLineOnly: true,
    },
    { name: 'request', kind: 'text', value: 'FILE', help: 'certification request of an installation elsewhere', commandLineOnly: true },
    ...installationFlags,
  ],
  body: async () => (await import('../verbs/ca.ts')).caIntermediate,
}

/** Activates an intermediate. */
export const caActivateCommand: Command = {
  name: 'ca activate',
  summary: 'Have another intermediate issue; the one before ends in an hour, and what it issued stays valid.',
  description: beside,
  subjects: 'NAME',
  least: 1,
  most: 1,
  examples: [{ text: 'The second half of a rotation', line: 'countersign ca activate ca-intermediate-2' }],
  flags: installationFlags,
  body: async () => (await import('../verbs/ca.ts')).caActivate,
}
