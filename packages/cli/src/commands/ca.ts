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
  description: `Needs the key of the root. Give clients a day to fetch the new trust root before "countersign ca activate".\n${beside}`,
  subjects: '',
  least: 0,
  most: 0,
  examples: [{ text: 'The first half of a rotation', line: 'countersign ca intermediate' }],
  flags: installationFlags,
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
