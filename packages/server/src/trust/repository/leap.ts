/** After a backup was restored: clients may have seen later metadata than the backup has, and refuse what is older (TUF specification 1.0.31 §5.4.3). */
import type { TufRole } from '@countersign/core/tuf/model'
import { readTufTargets } from '@countersign/core/tuf/read'
import { targetsContent } from '@countersign/core/tuf/write'
import type { TrustTables } from '../tables.ts'
import { signAbove, tufLifetimes, type RepositoryOptions } from './repository.ts'
import { openTufSigners } from './signers.ts'
import { readState } from './state.ts'

/**
 * Publishes the same targets under versions that are greater by `by`, so that they are newer than whatever was published after the backup. Nobody
 * else may publish meanwhile. Targets whose keys are elsewhere keep their version: gives which roles leapt.
 */
export async function leapVersions(options: RepositoryOptions, by: number): Promise<readonly TufRole[]> {
  const state = await readState(options.database)
  if (state === undefined) return []
  const signers = await openTufSigners(options.keys)
  const nowMs = options.clock()
  const { targets, snapshot, timestamp } = state.published
  const here = signers.suffice(state.root.roles.targets)
  const version = targets.metadata.version + by
  const content = targetsContent(version, nowMs + tufLifetimes.targets.validMs, readTufTargets(targets.metadata))
  const leapt = here
    ? { version, bytes: await signers.sign(state.root, 'targets', content) }
    : { version: targets.metadata.version, bytes: targets.bytes }
  const versions = { snapshot: snapshot.metadata.version + by, timestamp: timestamp.metadata.version + by }
  const above = await signAbove(state.root, signers, leapt, versions, nowMs)
  const rows = [
    ...(here ? [{ role: 'targets' as const, ...leapt, validMs: tufLifetimes.targets.validMs }] : []),
    ...above.map(({ role, bytes }) => ({ role, bytes, version: versions[role], validMs: tufLifetimes[role].validMs })),
  ]
  await options.database.transaction(async (transaction) => {
    const sql = transaction.withTables<TrustTables>()
    for (const { role, bytes, version: number, validMs } of rows) {
      const expires = Math.floor((nowMs + validMs) / 1000) * 1000
      await sql.insertInto('trust_metadata').values({ role, version: number, bytes, signed_at: nowMs, expires_at: expires }).execute()
    }
  })
  return rows.map(({ role }) => role)
}
