/**
 * Timestamps per second of our authority, and of another one beside it in the same run.
 *
 *   node --conditions=source bench/timestamps.ts [--clients 64] [--seconds 10] [--peer http://127.0.0.1:3000/api/v1/timestamp] [--rounds 3]
 *
 * The peer: `timestamp-server serve --timestamp-signer memory --port 3000 2>/dev/null`. The same generator and the same requests ask both in turn.
 */
import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { encodeTimestampRequest } from '@countersign/core/rfc3161/request'
import { defaultHttpLimits } from '@countersign/server/base/http/app'
import { httpPort } from '@countersign/server/base/http/server'
import { createTimestampAuthority } from '@countersign/server/tsa/authority'
import { createTimestampCertificate, createTimestampRoot } from '@countersign/server/tsa/certificates'
import { createClockWatch } from '@countersign/server/tsa/clock/clock-watch'
import { timestampService } from '@countersign/server/tsa/service'
import { memoryKey } from '@countersign/testkit/memory-keys'
import { httpPost, runLoad, type LoadResult } from './load.ts'

const { values } = parseArgs({
  options: {
    serve: { type: 'boolean', default: false },
    clients: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    peer: { type: 'string' },
  },
})

if (values.serve) await serve()
else await measure()

/** The service as a process runs it: limits, request ids, metrics, and a line of the log for each request, which the peer writes too. */
async function serve(): Promise<void> {
  const nowMs = Date.now()
  const [rootKey, key] = [memoryKey('tsa-root', 'ec-p384'), memoryKey('tsa-1')]
  const names = { organization: 'Bench', commonName: 'Bench timestamps', nowMs }
  const root = await createTimestampRoot(rootKey, names)
  const leaf = await createTimestampCertificate(key, names, { certificate: root, key: rootKey })
  const clock = createClockWatch({ wall: Date.now, monotonic: () => performance.now(), sources: [] }).check
  const authority = createTimestampAuthority({ key, chain: [leaf, root], clock })
  const service = timestampService({ authority: () => authority, clock })
  const log = { level: 'info', format: 'json', write: (line: string) => void process.stderr.write(line) } as const
  const port = await httpPort({ listen: { host: '127.0.0.1', port: 0 }, limits: defaultHttpLimits, log, trustedProxies: [] })
  process.send?.(`${await port.open([service])}/tsa/api/v1/timestamp`)
  process.once('disconnect', () => void port.drain(1000))
}

async function measure(): Promise<void> {
  // Both logs go nowhere: the terminal would be measured.
  const child = fork(import.meta.filename, ['--serve'], { execArgv: process.execArgv, stdio: ['ignore', 'inherit', 'ignore', 'ipc'] })
  const ours = await new Promise<string>((resolve) => child.once('message', (url) => resolve(url as string)))
  const sides = [
    { name: 'ours', url: new URL(ours) },
    ...(values.peer === undefined ? [] : [{ name: 'theirs', url: new URL(values.peer) }]),
  ]
  const best = new Map<string, LoadResult>()
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const { name, url } of sides) {
      const result = await load(url)
      if (result.perSecond > (best.get(name)?.perSecond ?? 0)) best.set(name, result)
      process.stdout.write(`${name}: ${line(result)}\n`)
    }
  }
  child.disconnect()
  const [mine, peer] = [best.get('ours'), best.get('theirs')]
  if (mine === undefined || peer === undefined) return
  process.stdout.write(`best of ${values.rounds}: ${(mine.perSecond / peer.perSecond).toFixed(2)} times as many as the peer (target 1.2)\n`)
}

/** Imprints of their own for each request, made before: the generator shares the machine. */
function load(url: URL): Promise<LoadResult> {
  const requests = Array.from({ length: 4096 }, () =>
    httpPost(url, 'application/timestamp-query', encodeTimestampRequest({ hash: 'sha256', digest: randomBytes(32), certReq: false })),
  )
  const request = (n: number): Buffer => requests[n % requests.length] as Buffer
  return runLoad({ url, clients: Number(values.clients), seconds: Number(values.seconds), warmUpSeconds: 2, request, accepted: [200, 201] })
}

function line({ perSecond, p50Ms, p99Ms }: LoadResult): string {
  return `${Math.round(perSecond)} timestamps/s at ${values.clients} clients, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`
}
