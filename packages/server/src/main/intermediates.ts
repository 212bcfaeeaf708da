/** The intermediates of the certificate authority, as the command line rotates them: made on standby, trusted by clients, then activated. */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { readChain } from '../ca/authority/chain.ts'
import { createIntermediate } from '../ca/authority/create.ts'
import { type AuthorityRow, authorityTable } from '../ca/authority/tables.ts'
import { openTrust, type Trust, type TrustChange } from '../trust/trust.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'

/** For so long the one before stays valid beside its successor: certificates live ten minutes, and running servers notice within seconds. */
const overlapMs = 60 * 60_000

/** Every authority on record. */
export function listAuthorities({ platform }: OpenInstallation): Promise<readonly AuthorityRow[]> {
  return authorityTable(platform.database, platform.clock).list()
}

/**
 * Makes an intermediate below the root, on standby, and has clients trust it: it issues after `activateIntermediate`. Throws `key_missing` when the key
 * of the root is not here. A crash in between leaves one on standby that no client knows, and that is never activated.
 */
export async function addIntermediate(
  { platform, addresses }: OpenInstallation,
  operator: Operator,
): Promise<{ readonly name: string; readonly change: TrustChange }> {
  const { database, keys, clock, audit } = platform
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
  const workshop = { table: authorityTable(database, clock), keys, now: clock, random, organization: addresses.host }
  const { name, chain } = await createIntermediate(workshop, await keys.open('ca-root'))
  const change = await trustOf(platform).add({
    id: name,
    role: 'ca',
    url: addresses.fulcio,
    operator: addresses.host,
    anchor: { kind: 'chain', certificates: readChain(chain) },
    validFor: { start: Math.floor(clock() / 1000) * 1000 },
  })
  await audit.record({ action: 'ca.intermediate_created', subject: name, ...by(operator), outcome: 'done', detail: { change } })
  return { name, change }
}

/**
 * Has an intermediate issue from now on, and ends the one before in an hour; what that one issued stays valid. Throws `authority_missing` for a name
 * that is not on standby, `trust_missing` while clients cannot know it.
 */
export async function activateIntermediate({ platform }: OpenInstallation, name: string, operator: Operator): Promise<TrustChange> {
  const { database, clock, audit } = platform
  const trust = trustOf(platform)
  const table = authorityTable(database, clock)
  const rows = await table.list()
  if (rows.some((row) => row.name === name && row.status === 'standby') && !(await trust.inForce(name))) {
    throw new CountersignError('trust_missing', `clients are not told of ${name} yet: what it issued would be refused`, {
      hint: 'Publish the trust root that names it first.',
    })
  }
  await table.activate(name)
  let change: TrustChange = 'unchanged'
  for (const row of rows)
    if (row.status === 'active' && row.role === 'intermediate' && row.name !== name)
      change = await trust.close(row.name, clock() + overlapMs)
  await audit.record({ action: 'ca.intermediate_activated', subject: name, ...by(operator), outcome: 'done', detail: { change } })
  return change
}

function trustOf({ database, keys, clock }: OpenInstallation['platform']): Trust {
  return openTrust({ database, keys, clock })
}

function by({ name }: Operator): { readonly actor: string; readonly from: string } {
  return { actor: `operator ${name}`, from: 'local' }
}
