/** `--type` of the verbs that attest and of those that verify attestations. */
import type { Flag } from '../command/model.ts'

/** The short names of predicate types. Spelled out: flags are read on every run, and the table of types would bring its parser along. */
const predicateNames: readonly string[] = [
  'slsaprovenance',
  'slsaprovenance02',
  'slsaprovenance1',
  'link',
  'spdx',
  'spdxjson',
  'cyclonedx',
  'vuln',
  'openvex',
  'custom',
]

/** A short name of a predicate type, or a URI; cosign's default is `custom`. */
export const attestationTypeFlag: Flag = {
  name: 'type',
  kind: 'text',
  value: 'TYPE',
  help: `${predicateNames.join(', ')}, or a URI`,
  choices: predicateNames,
  default: 'custom',
}
