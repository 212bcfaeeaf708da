/**
 * Rotates the key of a role, each by one call: the new one is added, the validity of the one before is closed, and what that one signed stays valid.
 * Running servers notice within seconds (`shards.ts`) and sign with the new key only when clients are told of it.
 *
 * 1. The key; 2. for a log its next shard, empty; 3. the registry of trust; 4. the metadata that names the new key. A crash after 1 or 2 leaves a
 * key or an empty log that nobody was told of; the next rotation takes the next number.
 */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { RoleKey, RoleKeyType } from '../base/keys/role-key.ts'
import { freezeTree, readTree, treeNames } from '../log/engine/tree-store.ts'
import type { TrustInstance } from '../trust/instances.ts'
import { publishProposals, proposeRoot } from '../trust/repository/ceremony.ts'
import { openTufSigners } from '../trust/repository/signers.ts'
import { demandState, readState } from '../trust/repository/state.ts'
import { openTrust, type TrustChange } from '../trust/trust.ts'
import { createTimestampCertificate } from '../tsa/certificates.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'
import { activateIntermediate, addIntermediate } from './intermediates.ts'
import { createLog, createRekor1, ctPlace, rekor2Place } from './logs.ts'

/** Roles whose key can be rotated. */
export const rotatableRoles = ['ca', 'ct', 'rekor1', 'rekor2', 'tsa', 'oidc', 'root', 'targets', 'snapshot', 'timestamp'] as const

/** One of them. */
export type RotatableRole = (typeof rotatableRoles)[number]

/** The key that was made, from when it signs if that is planned, and what became of the trust in it: `proposed` waits for keys that are elsewhere. */
export type Rotated = { readonly name: string; readonly change: TrustChange; readonly signsFromMs?: number }

/** How. */
export type RotationOptions = {
  /** For so long the one before stays valid. Default one hour: servers change over within seconds, and clocks of clients differ. */
  readonly overlapMs?: number
  /** Clients are told of the next now; it signs from this moment to come, when those who look seldom know it too. */
  readonly signsFromMs?: number
}

const logTypes = { ct: 'ec-p256', rekor1: 'ec-p256', rekor2: 'ed25519' } as const satisfies Record<string, RoleKeyType>

/** Rotates. Throws `key_missing` when a key that must sign is elsewhere, `usage` for what cannot be planned, and what the rooms throw. */
export async function rotateKey(
  installation: OpenInstallation,
  role: RotatableRole,
  operator: Operator,
  options: RotationOptions = {},
): Promise<Rotated> {
  const planned = options.signsFromMs === undefined ? {} : { signsFromMs: options.signsFromMs }
  if (options.signsFromMs !== undefined) await demandPlannable(installation, role)
  const rotated = { ...(await rotate(installation, role, operator, options)), ...planned }
  await installation.platform.audit.record({
    action: 'main.key_rotated',
    actor: `operator ${operator.name}`,
    from: 'local',
    subject: role,
    outcome: 'done',
    detail: { ...rotated },
  })
  return rotated
}

/** A plan is not changed by another: what clients know of the end of the key in use never moves later. */
async function demandPlannable(installation: OpenInstallation, role: RotatableRole): Promise<void> {
  if (role === 'root' || role === 'targets' || role === 'snapshot' || role === 'timestamp') {
    throw new CountersignError('usage', `a rotation of the role ${role} of the TUF repository is not planned ahead`, {
      hint: 'Clients learn of its new key with the root that names it, before they need it: rotate without --after.',
    })
  }
  const now = installation.platform.clock()
  const planned = (await trustOf(installation).instances()).find(
    (each) => each.role === role && each.signsFromMs !== undefined && each.signsFromMs > now && each.validFor.end === undefined,
  )
  if (planned?.signsFromMs === undefined) return
  throw new CountersignError('usage', `${planned.id} is planned already, from ${new Date(planned.signsFromMs).toISOString()}`, {
    hint: 'Wait until then, or rotate without --after: that gives the plan up.',
  })
}

function rotate(installation: OpenInstallation, role: RotatableRole, operator: Operator, options: RotationOptions): Promise<Rotated> {
  switch (role) {
    case 'ca':
      return rotateIntermediate(installation, operator, options)
    case 'ct':
    case 'rekor1':
    case 'rekor2':
      return nextShard(installation, role, options)
    case 'tsa':
      return nextTimestamps(installation, options)
    case 'oidc':
      return nextTokenKey(installation, options)
    case 'root':
    case 'targets':
    case 'snapshot':
    case 'timestamp':
      return nextTufKey(installation, role)
    default:
      return unreachable(role)
  }
}

async function rotateIntermediate(installation: OpenInstallation, operator: Operator, options: RotationOptions): Promise<Rotated> {
  const planned = options.signsFromMs !== undefined
  const leaveOpen = !planned || !(await targetsKeysHere(installation))
  const made = await addIntermediate(installation, operator, { rotation: { ...options, leaveOpen } })
  // What is planned the server activates.
  if (planned || made.change === 'proposed') return made
  const change = await activateIntermediate(installation, made.name, operator)
  return { name: made.name, change: change === 'unchanged' ? made.change : change }
}

async function nextShard(installation: OpenInstallation, role: keyof typeof logTypes, options: RotationOptions): Promise<Rotated> {
  const { platform, addresses } = installation
  const key = await nextKey(installation, role, logTypes[role])
  if (role === 'rekor1') await createRekor1(platform, key, addresses)
  else await createLog(platform, role === 'ct' ? ctPlace(key, addresses) : await rekor2Place(key, addresses))
  const anchor = { kind: 'key', publicKey: key.publicKey } as const
  const successor = { id: key.name, role, url: addresses[urlNames[role]], anchor }
  return { name: key.name, change: await succeed(installation, successor, options) }
}

const urlNames = { ct: 'ct', rekor1: 'rekor', rekor2: 'rekor2' } as const

async function nextTimestamps(installation: OpenInstallation, options: RotationOptions): Promise<Rotated> {
  const { platform, addresses } = installation
  const last = (await trustOf(installation).instances()).findLast(({ role }) => role === 'tsa')
  const root = last?.anchor.kind === 'chain' ? last.anchor.certificates.at(-1) : undefined
  if (root === undefined) throw new CountersignError('trust_damaged', 'there is no timestamp authority on record')
  const rootKey = await platform.keys.open('tsa-root')
  const key = await nextKey(installation, 'tsa', 'ec-p256')
  const names = { organization: addresses.host, commonName: `${addresses.host} Timestamps`, nowMs: platform.clock() }
  const certificate = await createTimestampCertificate(key, names, { certificate: root, key: rootKey })
  const anchor = { kind: 'chain', certificates: [certificate, root] } as const
  return { name: key.name, change: await succeed(installation, { id: key.name, role: 'tsa', url: addresses.tsa, anchor }, options) }
}

/** Every process has read the next key by then: what it signs, none refuses. */
const tokenKeyNoticedMs = 5_000

/** Tokens are verified with the keys that the provider and the authority of this installation know: no client trusts them. */
async function nextTokenKey(installation: OpenInstallation, { overlapMs, signsFromMs }: RotationOptions): Promise<Rotated> {
  const { platform, addresses } = installation
  const { name: id } = await nextKey(installation, 'oidc', 'rsa-2048')
  const when = { signsFromMs: signsFromMs ?? platform.clock() + tokenKeyNoticedMs }
  const next = { id, role: 'oidc', url: addresses.oidc, operator: addresses.host, anchor: { kind: 'none' }, ...when } as const
  // What is told of a provider is its URL, which stays.
  await trustOf(installation).rotate({ next, ...(overlapMs === undefined ? {} : { overlapMs }) })
  return { name: id, change: 'published' }
}

/** Adds the next to the registry. What it replaces is closed with it where that can be published now; else by the server when it changes over. */
async function succeed(
  installation: OpenInstallation,
  successor: Pick<TrustInstance, 'id' | 'role' | 'url' | 'anchor'>,
  { overlapMs, signsFromMs }: RotationOptions,
): Promise<TrustChange> {
  const planned = signsFromMs === undefined ? {} : { signsFromMs }
  const next = { ...successor, operator: installation.addresses.host, ...planned }
  // Closed before clients are told of the next, what the old one signs until then would be refused by all of them.
  const leaveOpen = !(await targetsKeysHere(installation))
  return trustOf(installation).rotate({ next, leaveOpen, ...(overlapMs === undefined ? {} : { overlapMs }) })
}

async function targetsKeysHere({ platform: { database, keys } }: OpenInstallation): Promise<boolean> {
  const state = await readState(database)
  return state !== undefined && (await openTufSigners(keys)).suffice(state.root.roles.targets)
}

async function nextTufKey(installation: OpenInstallation, role: 'root' | 'targets' | 'snapshot' | 'timestamp'): Promise<Rotated> {
  const { database, keys, clock } = installation.platform
  const state = await demandState(database)
  const signers = await openTufSigners(keys)
  const before = state.root.roles[role]
  if (signers.of(before).length < before.keys.length) {
    throw new CountersignError('key_missing', `keys of the role ${role} are elsewhere`, {
      hint: `Propose a root that names other keys: countersign trust propose --${role} FILE.`,
    })
  }
  const key = await nextKey(installation, `tuf-${role}`, 'ec-p256')
  await proposeRoot({ database, keys, clock }, { [role]: { keys: [key.publicKey], threshold: 1 } })
  if (!signers.suffice(state.root.roles.root)) return { name: key.name, change: 'proposed' }
  await publishProposals({ database, keys, clock })
  return { name: key.name, change: 'published' }
}

/** Numbers are never used twice, also when what they stood for came to nothing. */
async function nextKey({ platform }: OpenInstallation, role: string, type: RoleKeyType): Promise<RoleKey> {
  const { keys, database, clock } = platform
  const instances = await openTrust({ database, keys, clock }).instances()
  const names = [...(await keys.names()), ...(await treeNames(database)), ...instances.map(({ id }) => id)]
  // A first key of TUF has no number.
  const numbers = names.map((name) => (name === role ? 1 : Number(new RegExp(`^${role}-([1-9][0-9]{0,5})$`).exec(name)?.[1] ?? 0)))
  return keys.create(`${role}-${Math.max(0, ...numbers) + 1}`, type)
}

function trustOf({ platform: { database, keys, clock } }: OpenInstallation): ReturnType<typeof openTrust> {
  return openTrust({ database, keys, clock })
}

/** Closes a log for ever: what was decided is still published, and everybody may go on reading. Throws `log_missing`. */
export async function freezeLog({ platform }: OpenInstallation, name: string, operator: Operator): Promise<void> {
  const { size } = (await readTree(platform.database, name)).head
  await freezeTree(platform.database, name)
  await platform.audit.record({
    action: 'main.log_frozen',
    actor: `operator ${operator.name}`,
    from: 'local',
    subject: name,
    outcome: 'done',
    detail: { size },
  })
}
