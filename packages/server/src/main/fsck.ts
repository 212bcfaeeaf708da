/** Proves everything that an installation keeps for ever: its logs, and its audit log. Nothing may serve from it meanwhile. */
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { verifyAudit } from '../base/audit/read-audit.ts'
import { verifyMessage } from '../base/crypto/primitives.ts'
import { checkSqlite } from '../base/database/sqlite-file.ts'
import { readTree, treeNames } from '../log/engine/tree-store.ts'
import type { Damage } from '../log/fsck/damage.ts'
import { fsckLog } from '../log/fsck/fsck-log.ts'
import type { SoundLog, SeenTree } from '../log/fsck/model.ts'
import type { FsckPlace } from '../log/fsck/place.ts'
import type { TrustInstance } from '../trust/instances.ts'
import { openTrust } from '../trust/trust.ts'
import type { OpenInstallation } from './administer.ts'

/** What was proven, up to the first damage. */
export type InstallationProof = {
  readonly ok: boolean
  /** Of the tree behind `/rekor2`. */
  readonly treeSize: number
  readonly logs: readonly SoundLog[]
  /** Records of the audit log whose chain holds. */
  readonly auditRecords: number
  readonly damage?: Damage
}

/** How it is proven. */
export type ProofOptions = {
  /** Told which log comes next, how many entries it has, and of those that are proven. */
  readonly begin?: (name: string, entries: number) => void
  readonly progress?: (entries: number) => void
  /** Checkpoints that clients kept, by the name of their log. */
  readonly seen?: ReadonlyMap<string, readonly SeenTree[]>
}

type LogPlaces = { readonly places: readonly FsckPlace[]; readonly stray: readonly string[] }

/** Proves all. Throws what the storage throws; damage is a value. */
export async function fsckInstallation({ platform, addresses }: OpenInstallation, options: ProofOptions = {}): Promise<InstallationProof> {
  const { database, blobs, keys, clock } = platform
  const instances = await openTrust({ database, keys, clock }).instances()
  const { places, stray } = await placesOf(database, instances, addresses.host)
  const logs: SoundLog[] = []
  const conclude = (auditRecords: number, damage?: Damage): InstallationProof => {
    const treeSize = logs.findLast(({ name }) => name === lastName(instances))?.size ?? 0
    return { ok: damage === undefined, treeSize, logs, auditRecords, ...(damage === undefined ? {} : { damage }) }
  }
  const file = await damageOfFile(platform)
  if (file !== undefined) return conclude(0, file)
  for (const name of stray) {
    const { head } = await readTree(database, name)
    // A rotation that was interrupted leaves an empty log that nobody was told of.
    if (head.size > 0) return conclude(0, { where: `log_trees, ${name}`, detail: 'the log has entries, and is in no record of trust' })
  }
  for (const place of places) {
    options.begin?.(place.name, await sizeOf(database, place.name))
    const seen = options.seen?.get(place.name)
    const proven = await fsckLog({
      place,
      database,
      blobs,
      ...(options.progress === undefined ? {} : { progress: options.progress }),
      ...(seen === undefined ? {} : { seen }),
    })
    if (!proven.ok) return conclude(0, proven.damage)
    logs.push(proven.log)
  }
  const { publicKey, algorithm } = await keys.open('audit')
  const audit = await verifyAudit(database, { verify: (message, signature) => verifyMessage(algorithm, publicKey, message, signature) })
  if (audit.ok) return conclude(audit.head.sequence)
  return conclude(audit.sequence - 1, { where: `audit_records, ${audit.sequence}`, detail: audit.detail })
}

async function placesOf(
  database: OpenInstallation['platform']['database'],
  instances: readonly TrustInstance[],
  host: string,
): Promise<LogPlaces> {
  const places = instances.flatMap(({ id, role, anchor }): FsckPlace[] =>
    anchor.kind === 'key' && (role === 'rekor1' || role === 'rekor2' || role === 'ct')
      ? [{ name: id, kind: role, publicKey: anchor.publicKey, host }]
      : [],
  )
  const known = new Set(places.map(({ name }) => name))
  return { places, stray: (await treeNames(database)).filter((name) => !known.has(name)) }
}

/** The shard behind `/rekor2`: the last that began. */
function lastName(instances: readonly TrustInstance[]): string | undefined {
  return instances.findLast(({ role }) => role === 'rekor2')?.id
}

async function sizeOf(database: OpenInstallation['platform']['database'], name: string): Promise<number> {
  const [row] = await database.raw.query<{ size: number }>('select published_size as size from log_trees where name = ?', [name])
  return row?.size ?? 0
}

async function damageOfFile({ data, database }: OpenInstallation['platform']): Promise<Damage | undefined> {
  if (database.kind !== 'sqlite') return undefined
  const where = join(data, 'database.sqlite')
  try {
    await checkSqlite(where)
    return undefined
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'database_damaged') throw cause
    return { where, detail: cause.message }
  }
}
