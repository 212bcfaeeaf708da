/**
 * Our services and the reference's beside each other in one run: entries per second of a Rekor v2 log, timestamps per second.
 *
 *   node --conditions=source bench/services.ts [--only log,timestamps] [--seconds 10] [--clients 64,512,2048]
 *
 * Needs `rekor-tiles-posix` and `timestamp-server` (sigstore/rekor-tiles, sigstore/timestamp-authority) on PATH. The same generator asks both,
 * with the same entries, signed beforehand; each log begins empty. The reference publishes a checkpoint every second, its least useful interval.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { CountersignError } from '@countersign/core/failure'
import { loadLog, signEntries } from './log-load.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'log,timestamps' },
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '64,512,2048' },
  },
})
const seconds = Number(values.seconds)
/** Least entries per second and most p99, ours / theirs, by clients. */
const targets = new Map([
  [64, { rate: 8, p99: 0.15 }],
  [512, { rate: 6, p99: 0.15 }],
  [2048, { rate: 2, p99: 0.4 }],
])
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-services-'))

try {
  if (values.only.includes('log')) for (const clients of values.clients.split(',').map(Number)) await compareLogs(clients)
  if (values.only.includes('timestamps')) compareTimestamps()
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function compareLogs(clients: number): Promise<void> {
  const theirs = await measureLog(startTheirs, clients)
  const ours = await measureLog(startOurs, clients)
  const rate = ours.perSecond / theirs.perSecond
  const p99 = ours.p99Ms / theirs.p99Ms
  const target = targets.get(clients)
  const met = target === undefined ? '' : rate >= target.rate && p99 <= target.p99 ? '  met' : `  MISSED (${target.rate}, ${target.p99})`
  say(`log, ${clients} clients: ours ${show(ours)}; theirs ${show(theirs)}; entries ${rate.toFixed(2)}, p99 ${p99.toFixed(3)}${met}`)
}

type Measured = Awaited<ReturnType<typeof loadLog>>

function show({ perSecond, p50Ms, p99Ms }: Measured): string {
  return `${perSecond.toFixed(0)}/s p50 ${p50Ms.toFixed(0)} ms p99 ${p99Ms.toFixed(0)} ms`
}

type Server = { readonly url: URL; readonly child: ChildProcess }

async function measureLog(start: () => Promise<Server>, clients: number): Promise<Measured> {
  const { url, child } = await start()
  try {
    return await loadLog(url, signEntries(url, clients + Math.ceil(seconds * 12_000)), clients, seconds)
  } finally {
    const ended = new Promise((done) => child.once('exit', done))
    child.kill('SIGTERM')
    await ended
  }
}

async function startOurs(): Promise<Server> {
  const place = newFolder()
  const program = fileURLToPath(new URL('log-server.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=source', program, place], { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await new Promise<string>((done, failed) => {
    child.once('exit', (code) => failed(new CountersignError('internal', `our log ended with ${code}`)))
    child.stdout.once('data', (part: Buffer) => done(part.toString().trim()))
  })
  return { url: new URL(url), child }
}

async function startTheirs(): Promise<Server> {
  const place = newFolder()
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = join(place, 'key.pem')
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  // Below the range from which the system gives ports to whoever asks for any.
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  const options = {
    hostname: 'localhost',
    'http-port': port,
    'grpc-port': port + 1,
    'http-metrics-port': port + 2,
    'signer-filepath': key,
    'storage-dir': join(place, 'log'),
    'checkpoint-interval': '1s',
    'log-level': 'error',
  }
  mkdirSync(join(place, 'log'))
  const child = spawn('rekor-tiles-posix', ['serve', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  child.on('error', () => say('rekor-tiles-posix is not on PATH'))
  const url = new URL(`http://127.0.0.1:${port}`)
  for (let tried = 0; tried < 400; tried++) {
    const up = await fetch(new URL('/healthz', url)).then(
      ({ ok }) => ok,
      () => false,
    )
    if (up) return { url, child }
    await sleep(100)
  }
  throw new CountersignError('internal', 'rekor-tiles-posix does not answer')
}

/** The bench of timestamps has its own comparison: it is given the peer. */
function compareTimestamps(): void {
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  const peer = spawn('timestamp-server', ['serve', '--timestamp-signer', 'memory', '--port', String(port), '--disable-ntp-monitoring'], {
    stdio: 'ignore',
  })
  try {
    spawnSync('sleep', ['2'])
    const program = fileURLToPath(new URL('timestamps.ts', import.meta.url))
    const args = ['--conditions=source', program, '--seconds', String(seconds), '--peer', `http://127.0.0.1:${port}/api/v1/timestamp`]
    spawnSync(process.execPath, args, { stdio: 'inherit' })
  } finally {
    peer.kill('SIGTERM')
  }
}

function newFolder(): string {
  return mkdtempSync(join(folder, 'server-'))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
