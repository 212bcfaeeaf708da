/** Flags of every verb. */
import type { Flag } from '../command/model.ts'

/** Accepted before and after the verb. */
export const globalFlags: readonly Flag[] = [
  {
    name: 'report',
    kind: 'list',
    value: 'FORMAT[=FILE]',
    help: 'the full evidence as text, json, sarif or junit; without FILE in place of the other output',
    choices: ['text', 'json', 'sarif', 'junit'],
    commandLineOnly: true,
  },
  {
    name: 'profile',
    kind: 'text',
    value: 'NAME|FILE',
    help: 'profile to read flags from: a name in it, a file, FILE#NAME, or "none"',
    default: 'countersign.yaml, then the one of your account',
    commandLineOnly: true,
  },
  { name: 'output-file', kind: 'text', value: 'FILE', help: 'write the result to a file', commandLineOnly: true },
  { name: 'timeout', short: 't', kind: 'duration', value: 'DURATION', help: 'for the whole run', default: '3m0s' },
  { name: 'verbose', short: 'd', kind: 'boolean', help: 'show the causes of failures' },
  { name: 'help', short: 'h', kind: 'boolean', help: 'show this text', commandLineOnly: true },
]
