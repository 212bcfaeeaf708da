/** After a backup was restored: clients may have seen later metadata than the backup has, and refuse what is older (TUF specification 1.0.31 §5.4.3). */
import type { TufRole } from '@countersign/core/tuf/model'
import { readTufTargets } from '@countersign/core/tuf/read'
import { targetsContent } from '@countersign/core/tuf/write'
import type { TrustTables } from '../tables.ts'
import { signAbove, tufLifetimes, type RepositoryOptions } from './repository.ts'
import { openTufSigners } from './signers.ts'
import { metadataRow, readState } from './state.ts'

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
  const above = await signAbove({ root: state.root, signers, nowMs }, leapt, versions)
  const metadata = [...(here ? [{ role: 'targets' as const, bytes: leapt.bytes }] : []), ...above]
  const rows = metadata.map(({ bytes }) => metadataRow(bytes, nowMs))
  await options.database.transaction(async (transaction) => {
    await transaction.withTables<TrustTables>().insertInto('trust_metadata').values(rows).execute()
  })
  return metadata.map(({ role }) => role)
}
