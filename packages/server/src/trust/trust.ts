/**
 * The trust of this installation: the registry of instances, and the repository that distributes what it says. Every change is made in two
 * steps: 1. the registry, 2. the repository. A crash in between leaves the registry ahead; `publish`, which also runs every hour, makes up for it.
 */
import { CountersignError, unreachable } from '@countersign/core/failure'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { equalBytes } from '@countersign/core/bytes'
import type { TrustedRoot } from '@countersign/core/trust/model'
import type { Transaction } from 'kysely'
import type { NoTables } from '../base/database/database.ts'
import { checkInstance, instanceOfRow, instanceRow, trustRoles, type TrustInstance } from './instances.ts'
import { proposeTargets, withdrawProposal } from './repository/ceremony.ts'
import { readProposal } from './repository/proposals.ts'
import { beginRepository, publishTargets, type RepositoryOptions } from './repository/repository.ts'
import { readState } from './repository/state.ts'
import { readTufTargets } from '@countersign/core/tuf/read'
import type { TrustTables } from './tables.ts'
import { targetFiles } from './targets.ts'
import { readRepositoryFile } from './repository/service.ts'

/** What a change led to: in force for every client that looks; nothing new; or a proposal that waits for offline keys. */
export type TrustChange = 'published' | 'unchanged' | 'proposed'

/** A rotation: what begins, and how long what it replaces goes on. */
export type Rotation = {
  /** The new instance; its validity begins now, whatever it says. */
  readonly next: Omit<TrustInstance, 'validFor'>
  /** For so long the old instance of this role and URL stays valid after the next signs: until the service has changed over. Default one hour. */
  readonly overlapMs?: number
  /** Whoever closes the old instance does it later: what it signs until clients are told of the next must not be refused. */
  readonly leaveOpen?: boolean
}

/** Trust, as the rest of the process and the command line use it. */
export type Trust = {
  /** First start: keeps the instances and publishes the first metadata. Repeating it does nothing new. */
  readonly begin: (instances: readonly TrustInstance[]) => Promise<void>
  /** Every instance that ever was, in the order in which they began. */
  readonly instances: () => Promise<readonly TrustInstance[]>
  /** Adds an instance beside the others: a new shard, a further service. Throws `trust_instance_exists`, `trust_instance_malformed`. */
  readonly add: (instance: TrustInstance) => Promise<TrustChange>
  /** Adds the next and closes those of its role and URL that are open; what was planned for them is given up. What they signed stays valid. */
  readonly rotate: (rotation: Rotation) => Promise<TrustChange>
  /** Ends an instance, as a log that was frozen. Its end never moves later. Throws `trust_instance_missing`. */
  readonly close: (id: string, endMs: number) => Promise<TrustChange>
  /** Publishes what the registry says, if that is not what is published. */
  readonly publish: () => Promise<TrustChange>
  /** Whether what clients get names this instance: before that, a service must not sign with its key. */
  readonly inForce: (id: string) => Promise<boolean>
  /** The bytes of a target that is in force; `undefined` when there is none of this name. */
  readonly target: (name: string) => Promise<Uint8Array | undefined>
}

const hourMs = 60 * 60 * 1000

/** Opens the trust of an installation. */
export function openTrust(options: RepositoryOptions): Trust {
  const { database, clock } = options
  const rows = async (): Promise<readonly TrustInstance[]> => {
    const sql = database.sql.withTables<TrustTables>()
    const all = await sql.selectFrom('trust_instances').selectAll().orderBy('starts_at').orderBy('id').execute()
    // By role first: the order of files and lists does not depend on which service happened to begin first.
    return all.map(instanceOfRow).toSorted((a, b) => trustRoles.indexOf(a.role) - trustRoles.indexOf(b.role))
  }
  const files = async () => targetFiles(await rows())
  const publish = async (): Promise<TrustChange> => {
    const result = await publishTargets(options, files)
    return result === 'keys_elsewhere' ? propose(options, await files()) : result
  }
  const change = async (work: (sql: Transaction<TrustTables>) => Promise<void>): Promise<TrustChange> => {
    await database.transaction((transaction: Transaction<NoTables>) => work(transaction.withTables<TrustTables>()))
    return publish()
  }
  const target = async (name: string): Promise<Uint8Array | undefined> => {
    const state = await readState(database)
    const listed = state === undefined ? undefined : readTufTargets(state.published.targets.metadata).get(name)
    return listed === undefined ? undefined : readRepositoryFile(database, `targets/${listed.sha256}.${name}`)
  }
  return {
    begin: async (instances) => {
      for (const instance of instances) checkInstance(instance)
      await database.transaction(async (transaction) => {
        const sql = transaction.withTables<TrustTables>()
        for (const instance of instances) {
          const ignore = sql
            .insertInto('trust_instances')
            .values(instanceRow(instance))
            .onConflict((conflict) => conflict.column('id').doNothing())
          await ignore.execute()
        }
      })
      await beginRepository(options, await files())
      await publish()
    },
    instances: rows,
    add: async (instance) => {
      checkInstance(instance)
      return change((sql) => insert(sql, instance))
    },
    rotate: async ({ next, overlapMs = hourMs, leaveOpen = false }) => {
      const nowMs = clock()
      // Whole seconds: what is written into certificates and timestamps is cut to them, and must not lie before.
      const instance: TrustInstance = { ...next, validFor: { start: Math.floor(nowMs / 1000) * 1000 } }
      checkInstance(instance)
      return change(async (sql) => {
        await giveUpPlanned(sql, instance, nowMs)
        if (!leaveOpen) await closeOpen(sql, instance, (instance.signsFromMs ?? nowMs) + overlapMs)
        await insert(sql, instance)
      })
    },
    close: (id, endMs) => change((sql) => end(sql, id, endMs)),
    publish,
    inForce: async (id) => {
      const instance = (await rows()).find((each) => each.id === id)
      const root = await target('trusted_root.json')
      return instance !== undefined && root !== undefined && names(parseTrustedRoot(root), instance)
    },
    target,
  }
}

async function insert(sql: Transaction<TrustTables>, instance: TrustInstance): Promise<void> {
  const there = await sql.selectFrom('trust_instances').select('id').where('id', '=', instance.id).executeTakeFirst()
  if (there !== undefined) {
    throw new CountersignError('trust_instance_exists', `there is a trusted instance ${instance.id} already`, {
      hint: 'Every instance has a name of its own, for ever.',
    })
  }
  await sql.insertInto('trust_instances').values(instanceRow(instance)).execute()
}

type Place = Pick<TrustInstance, 'role' | 'url'>

/** An end that lies further ahead moves forward: a rotation that could not wait for the planned one. */
async function closeOpen(sql: Transaction<TrustTables>, { role, url }: Place, endMs: number): Promise<void> {
  const those = sql.updateTable('trust_instances').set({ ends_at: endMs }).where('role', '=', role).where('url', '=', url)
  await those.where((either) => either.or([either('ends_at', 'is', null), either('ends_at', '>', endMs)])).execute()
}

/** What has signed nothing yet ends before it would. */
async function giveUpPlanned(sql: Transaction<TrustTables>, { role, url }: Place, nowMs: number): Promise<void> {
  const those = sql.updateTable('trust_instances').set({ ends_at: nowMs }).where('role', '=', role).where('url', '=', url)
  await those.where('signs_at', '>', nowMs).execute()
}

async function end(sql: Transaction<TrustTables>, id: string, endMs: number): Promise<void> {
  const row = await sql.selectFrom('trust_instances').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw new CountersignError('trust_instance_missing', `there is no trusted instance ${id.slice(0, 80)}`)
  const ends = Math.max(row.starts_at, Math.min(row.ends_at ?? endMs, endMs))
  await sql.updateTable('trust_instances').set({ ends_at: ends }).where('id', '=', id).execute()
}

/** An older proposal says what is no longer meant: it is withdrawn, with the signatures that it had. */
async function propose(options: RepositoryOptions, files: Parameters<typeof proposeTargets>[1]): Promise<TrustChange> {
  const waiting = await readProposal(options.database, 'targets')
  const wanted = new Map([...files].map(([name, { bytes }]) => [name, bytes]))
  if (waiting !== undefined) {
    const same =
      waiting.files.size === wanted.size &&
      [...wanted].every(([name, bytes]) => equalBytes(waiting.files.get(name) ?? new Uint8Array(), bytes))
    if (same) return 'proposed'
    await withdrawProposal(options, 'targets')
  }
  await proposeTargets(options, files)
  return 'proposed'
}

function names(root: TrustedRoot, { anchor }: TrustInstance): boolean {
  switch (anchor.kind) {
    case 'key':
      return [...root.logs, ...root.ctLogs].some((log) => equalBytes(log.publicKey.spki, anchor.publicKey.spki))
    case 'chain': {
      const [leaf] = anchor.certificates
      const authorities = [...root.certificateAuthorities, ...root.timestampAuthorities]
      return leaf !== undefined && authorities.some(({ certificates: [first] }) => first !== undefined && equalBytes(first, leaf))
    }
    case 'none':
      return true
    default:
      return unreachable(anchor)
  }
}
