/**
 * Reads per second of entries with their inclusion proofs, from a log that is filled first: whole answers of version 1, and the tiles from which
 * a client of version 2 makes the proof itself.
 *
 *   node --conditions=source bench/proof-reads.ts [--entries 50000] [--clients 64] [--seconds 10]
 *
 * Entries are read at random. No peer stands beside it: rekor-tiles answers reads with 501 and leaves its files to another server.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tilePath, tileWidth } from '@countersign/core/tiles/path'
import { httpGet, httpPost, runLoad } from './load.ts'
import { startAlone } from './server-process.ts'
import { rekor1Wish, rekor2Wish, type ServiceRequest } from './service-requests.ts'

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '50000' },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '10' },
  },
})
const [entries, clients, seconds] = [Number(values.entries), Number(values.clients), Number(values.seconds)]
/** Clients that fill the logs. */
const fillers = 512
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-reads-'))

try {
  await run()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const server = await startAlone(folder, JSON.stringify({ logging: { level: 'error' } }))
  const base = new URL(server.url)
  for (const wish of [rekor1Wish, rekor2Wish]) await fill(base, wish)
  say(`${entries} entries in each log, ${clients} clients`)
  const any = (count: number): number => Math.floor(Math.random() * count)
  await reads(base, 'entry of version 1 with proof and promise', () => `/rekor/api/v1/log/entries?logIndex=${any(entries)}`)
  await reads(base, 'checkpoint of version 2', () => '/rekor2/api/v2/checkpoint')
  const fullTile = () => ({ index: any(Math.floor(entries / tileWidth)), width: tileWidth })
  await reads(base, 'tile of hashes', () => `/rekor2/api/v2/${tilePath({ kind: 'hashes', level: 0, ...fullTile() })}`)
  await reads(base, 'bundle of entries', () => `/rekor2/api/v2/${tilePath({ kind: 'entries', folder: 'entries', ...fullTile() })}`)
  await server.stop()
}

/** Sends entries, for two seconds at a time, until there are enough. */
async function fill(base: URL, wish: (n: number) => ServiceRequest): Promise<void> {
  let sent = 0
  const request = (): Buffer => {
    const { path, type, body } = wish(sent++)
    return httpPost(new URL(path, base), type, body)
  }
  for (let answered = 0; answered < entries;)
    answered += (await runLoad({ url: base, clients: fillers, seconds: 2, warmUpSeconds: 0, request, accepted: [201] })).done
}

async function reads(base: URL, what: string, path: () => string): Promise<void> {
  const request = (): Buffer => httpGet(new URL(path(), base))
  const { perSecond, p50Ms, p99Ms } = await runLoad({ url: base, clients, seconds, warmUpSeconds: 1, request, accepted: [200] })
  say(`${what}: ${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
