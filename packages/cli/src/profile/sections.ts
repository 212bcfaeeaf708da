/** The sections of a profile that speak to a verb. */
import { verbs } from '../command/table.ts'

/** The general sections first, so that the particular one wins: `all`, then `sign` or `verify`, then the verb's own name. */
export function sectionsOf(verb: string): readonly string[] {
  const group = verb.startsWith('policy ') ? undefined : verbs.find((candidate) => candidate.name === verb)?.group
  const general = group === 'sign' || group === 'verify' ? ['all', group] : ['all']
  return general.includes(verb) ? general : [...general, verb]
}

/** Every section that a profile may have. */
export function allSections(): readonly string[] {
  return [...new Set(['all', 'sign', 'verify', ...verbs.map((verb) => verb.name)])]
}
