/** Search over the logs of an installation by what is stored of them, beside its server or without one. */
import { CountersignError } from '@countersign/core/failure'
import type { LoggedHit } from '@countersign/core/rekor/search-answer'
import { entryBundles } from '@countersign/core/tiles/entry-bundle'
import { tileWidth } from '@countersign/core/tiles/path'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import { treeFiles } from '../log/engine/files.ts'
import { integrationTime, readTree } from '../log/engine/tree-store.ts'
import { issuedByOurs } from '../log/own-authority.ts'
import { findEntries, type ReadLog, readSearch } from '../log/search/find.ts'
import { type SearchedLog, searchIndex } from '../log/search/index-logs.ts'
import { openTrust } from '../trust/trust.ts'
import type { OpenInstallation } from './administer.ts'
import { ownChains } from './authorities.ts'

/** Entries of every log for which all of the query holds. Throws `usage` for a query that asks for nothing that is searched. */
export async function searchLogs(
  { platform }: OpenInstallation,
  query: Readonly<Record<string, string>>,
): Promise<{ readonly entries: readonly LoggedHit[]; readonly complete: boolean }> {
  const keys = readSearch(query)
  if (typeof keys === 'string') throw new CountersignError('usage', keys)
  const logs = await storedLogs(platform)
  const ours = issuedByOurs(ownChains(platform))
  const index = searchIndex(platform.database, () => logs, ours)
  return findEntries({ index, log: (name) => logs.find((log) => log.name === name), issuedByOurs: ours }, keys)
}

type StoredLog = SearchedLog & ReadLog

/** The shards of Rekor v1, which the index names by their tree ID, then those of v2. */
async function storedLogs(platform: OpenInstallation['platform']): Promise<readonly StoredLog[]> {
  const { database, keys, clock } = platform
  const instances = await openTrust({ database, keys, clock }).instances()
  const logs: StoredLog[] = []
  let firstIndex = 0
  for (const { id } of instances.filter(({ role }) => role === 'rekor1')) {
    const { origin, published } = await readTree(database, id)
    const treeId = origin.slice(origin.lastIndexOf(' ') + 1)
    logs.push({ ...storedLog(platform, id), name: treeId, shard: { treeId, firstIndex } })
    firstIndex += published.size
  }
  return [...logs, ...instances.filter(({ role }) => role === 'rekor2').map(({ id }) => storedLog(platform, id))]
}

function storedLog({ database, blobs }: OpenInstallation['platform'], name: string): StoredLog {
  const files = treeFiles(serverPrimitives, blobs, `log/${name}/`, entryBundles)
  const bundle = async (index: number): Promise<readonly Uint8Array[]> =>
    files.entries(index, (await readTree(database, name)).published.size)
  return {
    name,
    log: { checkpoint: async () => (await readTree(database, name)).published, bundle },
    entry: async (index) => {
      const data = (await bundle(Math.floor(index / tileWidth)))[index % tileWidth]
      const { id } = await readTree(database, name)
      return data === undefined ? undefined : { data, integratedAt: await integrationTime(database, id, index) }
    },
  }
}
