/** Demands in words, for reason trees. */
import { timeText } from '../verify/time.ts'
import type { CompiledParty } from './compile.ts'
import type { TermsDemand, TimeDemand } from './model.ts'

/** Who must sign. */
export function partyText(party: CompiledParty): string {
  if (party.kind === 'identity') return party.identity.name
  const { threshold, of, distinct, roles } = party
  const apart = distinct === 'identity' ? '' : ` of different ${distinct === 'role' ? 'people and roles' : 'people'}`
  const filled = roles.length === 0 ? '' : ` with roles ${roles.join(', ')}`
  return `${threshold} of (${of.map(partyText).join(', ')})${apart}${filled}`
}

/** When. */
export function timeDemandText(demand: TimeDemand): string {
  const parts = [
    demand.required ? 'with a trusted time' : '',
    demand.logged ? 'in a trusted log' : '',
    demand.beforeMs === undefined ? '' : `made before ${timeText(demand.beforeMs)}`,
    demand.afterMs === undefined ? '' : `made after ${timeText(demand.afterMs)}`,
    demand.maxAgeMs === undefined ? '' : `made in the last ${demand.maxAgeMs / 1000} s`,
  ].filter((part) => part !== '')
  return parts.length === 0 ? '' : `, ${parts.join(', ')}`
}

/** What its signer must have bound it to. */
export function termsDemandText(demand: TermsDemand): string {
  const lifetime = demand.maxLifetimeMs === undefined ? '' : ` at most ${demand.maxLifetimeMs / 1000} s later`
  return `${demand.expires ? `, that expires${lifetime}` : ''}${demand.boundName ? ', bound to this name' : ''}`
}
