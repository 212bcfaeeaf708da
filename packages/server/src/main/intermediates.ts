/** The intermediates of the certificate authority, as the command line rotates them: made on standby, trusted by clients, then activated. */
import { randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { readChain } from '../ca/authority/chain.ts'
import { createIntermediate } from '../ca/authority/create.ts'
import { type AuthorityRow, authorityTable } from '../ca/authority/tables.ts'
import { mayHaveSigned } from '../trust/instances.ts'
import { openTrust, type Rotation, type Trust, type TrustChange } from '../trust/trust.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'

/** For so long the one before stays valid beside its successor: certificates live ten minutes, and running servers notice within seconds. */
const overlapMs = 60 * 60_000

/** Every authority on record. */
export function listAuthorities({ platform }: OpenInstallation): Promise<readonly AuthorityRow[]> {
  return authorityTable(platform.database, platform.clock).list()
}

/** How an intermediate is made. */
export type IntermediateOptions = {
  /** In place of the one that issues: planned for a time, or at once. Without it: beside it. */
  readonly rotation?: Omit<Rotation, 'next'> & { readonly signsFromMs?: number }
  /** The key of the root, where it is kept elsewhere. */
  readonly rootKey?: RoleKey
}

/**
 * Makes an intermediate below the root, on standby, and has clients trust it: it issues after `activateIntermediate`. Throws `key_missing` when the key
 * of the root is not here, `key_mismatch` for another. A crash in between leaves one on standby that no client knows, and that is never activated.
 */
export async function addIntermediate(
  { platform, addresses }: OpenInstallation,
  operator: Operator,
  { rotation, rootKey }: IntermediateOptions = {},
): Promise<{ readonly name: string; readonly change: TrustChange }> {
  const { database, keys, clock, audit } = platform
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))
  const workshop = { table: authorityTable(database, clock), keys, now: clock, random, organization: addresses.host }
  const { name, chain } = await createIntermediate(workshop, rootKey ?? (await keys.open('ca-root')))
  const next = {
    id: name,
    role: 'ca',
    url: addresses.fulcio,
    operator: addresses.host,
    anchor: { kind: 'chain', certificates: readChain(chain) },
  } as const
  const { signsFromMs, ...how } = rotation ?? {}
  const planned = signsFromMs === undefined ? {} : { signsFromMs }
  const change =
    rotation === undefined
      ? await trustOf(platform).add({ ...next, validFor: { start: Math.floor(clock() / 1000) * 1000 } })
      : await trustOf(platform).rotate({ ...how, next: { ...next, ...planned } })
  await audit.record({ action: 'ca.intermediate_created', subject: name, ...by(operator), outcome: 'done', detail: { change } })
  return { name, change }
}

/**
 * Has an intermediate issue from now on, and ends the one before in an hour; what that one issued stays valid. Throws `authority_missing` for a name
 * that is not on standby, `trust_missing` while clients cannot know it.
 */
export function activateIntermediate({ platform }: OpenInstallation, name: string, operator: Operator): Promise<TrustChange> {
  return activate(platform, name, by(operator))
}

async function activate(platform: Parts, name: string, who: ReturnType<typeof by>): Promise<TrustChange> {
  const { database, clock, audit } = platform
  const trust = trustOf(platform)
  const table = authorityTable(database, clock)
  const rows = await table.list()
  await demandOpen(trust, name, clock())
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
  await audit.record({ action: 'ca.intermediate_activated', subject: name, ...who, outcome: 'done', detail: { change } })
  return change
}

/** What it issued would be refused. */
async function demandOpen(trust: Trust, name: string, nowMs: number): Promise<void> {
  const ended = (await trust.instances()).find(({ id, validFor }) => id === name && validFor.end !== undefined && validFor.end <= nowMs)
  if (ended === undefined) return
  throw new CountersignError('authority_missing', `the plan to have ${name} issue was given up, and clients are told of its end`, {
    hint: 'Make another: countersign ca intermediate.',
  })
}

/** Has the planned intermediate issue when its time has come and clients know it; gives its name, if one began now. */
export async function activatePlanned(platform: Parts): Promise<string | undefined> {
  const { database, clock } = platform
  const trust = trustOf(platform)
  const due = (await trust.instances()).findLast(
    (each) => each.role === 'ca' && each.signsFromMs !== undefined && mayHaveSigned(each, clock()),
  )
  if (due === undefined) return undefined
  const row = (await authorityTable(database, clock).list()).find(({ name }) => name === due.id)
  if (row?.status !== 'standby' || !(await trust.inForce(due.id))) return undefined
  await activate(platform, due.id, { actor: 'system', from: 'local' })
  return due.id
}

type Parts = Pick<OpenInstallation['platform'], 'database' | 'keys' | 'clock' | 'audit'>

function trustOf({ database, keys, clock }: Pick<Parts, 'database' | 'keys' | 'clock'>): Trust {
  return openTrust({ database, keys, clock })
}

function by({ name }: Operator): { readonly actor: string; readonly from: string } {
  return { actor: `operator ${name}`, from: 'local' }
}
