/**
 * Measures what becomes of a log as it grows: time of one append, bytes per entry, proof reads and start, at each size.
 *
 *   node --conditions=source bench/log-growth.ts [--sizes 10000,100000,1000000]
 *
 * Entries are made up and go to the engine directly: nothing is verified, so that what is measured is the log.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { fileBlobs } from '@countersign/server/base/blobs/file-blobs'
import { hashBytes } from '@countersign/server/base/crypto/primitives'
import { migrate } from '@countersign/server/base/database/migrate'
import { openSqlite } from '@countersign/server/base/database/sqlite'
import { soleLeases } from '@countersign/server/base/leases/sole-leases'
import { createTreeLog, openTreeLog } from '@countersign/server/log/engine/open-log'
import { logMigrations } from '@countersign/server/log/engine/tables'
import type { NewEntry } from '@countersign/server/log/tree-log'

const { values } = parseArgs({ options: { sizes: { type: 'string', default: '10000,100000,1000000' } } })
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-growth-'))
const database = await openSqlite(join(folder, 'database.sqlite'), { create: true })
await migrate(database, logMigrations)
const options = {
  name: 'bench-1',
  origin: 'localhost',
  database,
  blobs: await fileBlobs(folder),
  leases: soleLeases(Date.now),
  clock: Date.now,
  sign: async () => 'localhost\n',
}
await createTreeLog(options)
let log = await openTreeLog(options)
/** As long as the body of an entry with a public key; with a certificate it is some 3,000 bytes longer. */
const entryBytes = 460
try {
  for (const size of values.sizes.split(',').map(Number)) {
    const began = performance.now()
    let last = await log.checkpoint()
    const from = last.size
    while (last.size < size) {
      const count = Math.min(1024, size - last.size)
      const added = await Promise.all(Array.from({ length: count }, () => log.add(newEntry())))
      last = added[0]?.checkpoint ?? last
    }
    const perSecond = (size - from) / ((performance.now() - began) / 1000)
    const append = await median(50, async () => log.add(newEntry()))
    const proof = await median(200, async () => log.entry(Math.floor(Math.random() * size)))
    await log.close()
    const start = performance.now()
    log = await openTreeLog(options)
    await log.add(newEntry())
    const restart = performance.now() - start
    const bytes = (diskUse(folder) / size).toFixed(0)
    const memory = (process.memoryUsage().rss / 2 ** 20).toFixed(0)
    process.stdout.write(
      `${size} entries: ${perSecond.toFixed(0)}/s in batches, one append ${append.toFixed(1)} ms, one entry with proof ${proof.toFixed(2)} ms, start to first answer ${restart.toFixed(0)} ms, ${bytes} bytes per entry (${entryBytes} of them its own), ${memory} MiB resident\n`,
    )
  }
} finally {
  await log.close()
  await database.close()
  rmSync(folder, { recursive: true, force: true })
}

function newEntry(): NewEntry {
  const data = new Uint8Array(randomBytes(entryBytes))
  const leafHash = hashLeaf({ hash: hashBytes }, data)
  return { data, leafHash, identity: leafHash }
}

async function median(runs: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    const start = performance.now()
    await work()
    times.push(performance.now() - start)
  }
  return times.toSorted((a, b) => a - b)[runs >> 1] ?? 0
}

/** Blocks on the disk, not lengths of files: a small file takes a whole block. */
function diskUse(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .map((entry) => statSync(join(entry.parentPath, entry.name)).blocks * 512)
    .reduce((sum, bytes) => sum + bytes, 0)
}
