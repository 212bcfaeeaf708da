/**
 * More than a log can take: what is beyond 4,096 entries at once is told to come back, what is taken is answered in bounded time, and memory
 * stays flat however many entries there are.
 *
 *   node --conditions=source bench/overload.ts [--seconds 20] [--in-flight 8192] [--entries 200000]
 *
 * Exit 1 when a refusal has no Retry-After, an answer takes longer than the queue before it, or the memory of the server grows with its log.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { signEntries } from './log-load.ts'
import { type ServerProcess, startAlone } from './server-process.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    'in-flight': { type: 'string', default: '8192' },
    entries: { type: 'string', default: '200000' },
  },
})
const [boundMs, perSocket, signedAtOnce, mostTaken] = [5_000, 16, 1000, 4096]
/** Clients that were refused come back far sooner than they are told to. */
const impatientMs = 100
/** Bytes of memory for each further entry that are no leak: pages of caches that fill up, garbage between collections. */
const growthBytes = 512
const allowedBytes = 64 * 1024 * 1024
const folder = mkdtempSync(join(tmpdir(), 'countersign-overload-'))
try {
  process.exitCode = (await run()) ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(): Promise<boolean> {
  const server = await startAlone(folder, JSON.stringify({ logging: { level: 'error' } }))
  const url = new URL(`${server.url}/rekor2`)
  const bounded = await overload(url)
  const flat = await grow(url, server)
  await server.stop()
  return bounded && flat
}

/** Twice as much at once as is taken. */
async function overload(url: URL): Promise<boolean> {
  const inFlight = Number(values['in-flight'])
  const signed = signEntries(url, 16_384)
  const end = performance.now() + Number(values.seconds) * 1000
  let next = 0
  const tally = newTally()
  await load(url, inFlight, () => (performance.now() < end ? signed[next++ % signed.length] : undefined), tally)
  const { times, statuses, unadvised } = tally
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  const told = [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')
  say(
    `${inFlight} at once: ${told}; taken after ${at(0.5).toFixed(0)} ms (p50), ${at(0.99).toFixed(0)} ms (p99), ${at(1).toFixed(0)} ms (most)`,
  )
  const refused = statuses.get(503) ?? 0
  // However long the flood lasts: as long as it takes to serve those who were let in before.
  const bound = boundMs + (3 * mostTaken * 1000 * Number(values.seconds)) / times.length
  return unadvised === 0 && times.length > mostTaken && at(1) < bound && (refused > 0 || inFlight <= mostTaken)
}

/** Memory while the log grows. */
async function grow(url: URL, server: ServerProcess): Promise<boolean> {
  const entries = Number(values.entries)
  const samples: { readonly entries: number; readonly bytes: number }[] = []
  let sent = 0
  let chunk: readonly Buffer[] = []
  const tally = newTally()
  const take = (): Buffer | undefined => {
    if (sent >= entries) return undefined
    if (sent % signedAtOnce === 0) {
      chunk = signEntries(url, Math.min(signedAtOnce, entries - sent))
      samples.push({ entries: sent, bytes: residentBytes(server) })
    }
    return chunk[sent++ % signedAtOnce]
  }
  const start = performance.now()
  await load(url, 1024, take, tally)
  const seconds = (performance.now() - start) / 1000
  // The first third fills caches and pools.
  const half = samples.slice(Math.floor(samples.length / 3))
  const middle = Math.floor(half.length / 2)
  const [before, after] = [median(half.slice(0, middle)), median(half.slice(middle))]
  const apart = (half.length / 2) * signedAtOnce
  const growth = after - before
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`
  say(
    `${entries} entries in ${seconds.toFixed(0)} s (${(entries / seconds).toFixed(0)}/s); memory ${mebibytes(before)}, then ${mebibytes(after)}; most ${mebibytes(Math.max(...samples.map(({ bytes }) => bytes)))}`,
  )
  return growth < Math.max(allowedBytes, apart * growthBytes)
}

function median(samples: readonly { readonly bytes: number }[]): number {
  const sorted = samples.map(({ bytes }) => bytes).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

function residentBytes({ child }: ServerProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

type Tally = { readonly times: number[]; readonly statuses: Map<number, number>; unadvised: number }

function newTally(): Tally {
  return { times: [], statuses: new Map(), unadvised: 0 }
}

/** Keeps so many requests on their way, several on each connection, until there are no more. */
async function load(url: URL, inFlight: number, take: () => Buffer | undefined, tally: Tally): Promise<void> {
  await Promise.all(Array.from({ length: Math.ceil(inFlight / perSocket) }, () => pipeline(url, take, tally)))
}

function pipeline(url: URL, take: () => Buffer | undefined, tally: Tally): Promise<void> {
  const socket: Socket = connect({ port: Number(url.port), host: url.hostname, noDelay: true })
  const sentAt: number[] = []
  return new Promise((resolve, reject) => {
    const send = (): void => {
      const request = take()
      if (request !== undefined) {
        sentAt.push(performance.now())
        socket.write(request)
      } else if (sentAt.length === 0) {
        socket.destroy()
        resolve()
      }
    }
    socket.once('error', reject)
    socket.once('connect', () => {
      for (let i = 0; i < perSocket; i++) send()
    })
    let held = ''
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      held += part
      for (;;) {
        const end = held.indexOf('\r\n\r\n')
        const head = held.slice(0, end)
        const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0)
        if (end < 0 || held.length < end + 4 + length) return
        held = held.slice(end + 4 + length)
        const status = note(tally, head, performance.now() - (sentAt.shift() ?? 0))
        if (status === 503) setTimeout(send, impatientMs)
        else send()
      }
    })
  })
}

function note(tally: Tally, head: string, ms: number): number {
  const status = Number(head.slice(9, 12))
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
  if (status === 201 || status === 409) tally.times.push(ms)
  else if (status !== 503 || !/\r\nretry-after: \d/i.test(head)) tally.unadvised++
  return status
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
