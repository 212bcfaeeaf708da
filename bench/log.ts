/**
 * Measures what a Rekor v2 log takes: entries per second and latency at 64, 512 and 2,048 clients with P-256 entries signed beforehand.
 *
 *   node --conditions=source bench/log.ts [--url http://127.0.0.1:3003] [--clients 64,512,2048] [--seconds 10]
 *
 * Without a URL it starts our log in a temporary folder.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loadLog, signEntries } from './log-load.ts'

const { values } = parseArgs({
  options: { url: { type: 'string' }, clients: { type: 'string', default: '64,512,2048' }, seconds: { type: 'string', default: '10' } },
})
const seconds = Number(values.seconds)
const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-log-'))
const own = values.url === undefined ? await startOwn() : undefined
const url = new URL(values.url ?? own?.url ?? '')
try {
  for (const clients of values.clients.split(',').map(Number)) {
    const entries = signEntries(url, clients + Math.ceil(seconds * 4000))
    const { perSecond, p50Ms, p99Ms, refused } = await loadLog(url, entries, clients, seconds)
    const other = Object.keys(refused).length === 0 ? '' : `  refused ${JSON.stringify(refused)}`
    process.stdout.write(
      `${clients} clients: ${perSecond.toFixed(0)} entries/s, p50 ${p50Ms.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms${other}\n`,
    )
  }
} finally {
  await own?.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function startOwn(): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const program = fileURLToPath(new URL('log-server.ts', import.meta.url))
  const extra = process.env.BENCH_NODE_OPTIONS?.split(' ') ?? []
  const child = spawn(process.execPath, ['--conditions=source', ...extra, program, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
  const address = await firstLine(child)
  return {
    url: address,
    stop: async () => {
      child.kill('SIGTERM')
      await new Promise((resolve) => child.once('exit', resolve))
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', reject)
    child.stdout?.once('data', (part: Buffer) => resolve(part.toString().trim()))
  })
}
