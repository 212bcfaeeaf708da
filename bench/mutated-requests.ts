/**
 * Sends mutated requests to every endpoint of a running server. None may be answered with 500, go without an answer, end the server, or get a
 * signature, a certificate or a timestamp over something that no valid request asked for.
 *
 *   node --conditions=source bench/mutated-requests.ts [--requests 100000] [--only NAME] [--seed N [--index N]]
 *
 * `--requests` for each endpoint. The same seed gives the same mutants; the first offender of each endpoint is told with seed and index, and its
 * bytes are written to `bench/results/`. Exit 1 when there was one.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { CountersignError } from '@countersign/core/failure'
import { bytesToHex } from '@countersign/core/bytes'
import { decodePem } from '@countersign/core/pem'
import { hashBytes } from '@countersign/server/base/crypto/primitives'
import { type Endpoint, endpoints, readPaths, witnessedLog } from './endpoints.ts'
import { requestMutant, type RequestMutant } from './mutate-request.ts'
import { seeded } from './mutate.ts'
import { keptLine, type Line, sendOnce } from './raw-request.ts'
import { type ServerProcess, startAlone } from './server-process.ts'
import { benchIssuer, certificateWish, rekor1Wish, rekor2Wish, type ServiceRequest } from './service-requests.ts'

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '100000' },
    only: { type: 'string' },
    seed: { type: 'string' },
    index: { type: 'string' },
  },
})
const seed = values.seed === undefined ? Date.now() >>> 0 : Number(values.seed) >>> 0
const requests = Number(values.requests)
const [lines, lateMs, quietMs, longBytes] = [48, 10_000, 100, 1024 * 1024]
const folder = mkdtempSync(join(tmpdir(), 'countersign-mutants-'))
const issuer = benchIssuer()
const witnessed = await witnessedLog()
let judges: readonly Endpoint[] = []

try {
  process.exitCode = (await run()) === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function run(): Promise<number> {
  const server = await startAlone(folder, issuer.configuration({ log: { witnessFor: [witnessed.verifierKey] } }))
  const port = Number(new URL(server.url).port)
  judges = endpoints(issuer, witnessed, await readable(server))
  const all = judges.filter(({ name }) => values.only === undefined || name.includes(values.only))
  say(`seed ${seed}, ${requests} mutated requests to each of ${all.length} endpoints`)
  const start = performance.now()
  let findings = 0
  for (const endpoint of all) findings += await attack(endpoint, server, port, all)
  const seconds = (performance.now() - start) / 1000
  await server.stop()
  say(
    `${requests * all.length} requests in ${seconds.toFixed(0)} s (${((requests * all.length) / seconds).toFixed(0)}/s): ${findings === 0 ? 'no findings' : `${findings} FINDINGS`}`,
  )
  return findings
}

/** Puts something into every log, so that there is something to read. */
async function readable({ url }: ServerProcess): Promise<ReturnType<typeof readPaths>> {
  const send = async ({ path, type, body, headers = {} }: ServiceRequest): Promise<string> =>
    (await fetch(`${url}${path}`, { method: 'POST', body: Buffer.from(body), headers: { 'content-type': type, ...headers } })).text()
  await send(rekor2Wish())
  await send(certificateWish(issuer, 'reader@example.com'))
  await send(rekor1Wish(0))
  const [id = ''] = Object.keys(JSON.parse(await send(rekor1Wish(1))) as object)
  const [, root] = decodePem(await (await fetch(`${url}/fulcio/api/v1/rootCert`)).text())
  return readPaths(id, root === undefined ? '' : bytesToHex(hashBytes('sha256', root.bytes)))
}

type Tally = { readonly statuses: Map<number, number>; slowestMs: number; findings: number }

async function attack(endpoint: Endpoint, server: ServerProcess, port: number, all: readonly Endpoint[]): Promise<number> {
  const tally: Tally = { statuses: new Map(), slowestMs: 0, findings: 0 }
  const start = performance.now()
  const [from, to] = values.index === undefined ? [0, requests] : [Number(values.index), Number(values.index) + 1]
  let next = from
  const worker = async (): Promise<void> => {
    const line = keptLine(port, lateMs)
    while (next < to && tally.findings < 3) {
      const index = next++
      const mutant = mutantOf(endpoint, index, port, all)
      const began = performance.now()
      const finding = await offence(mutant, line, port, tally)
      tally.slowestMs = Math.max(tally.slowestMs, performance.now() - began)
      if (server.child.exitCode !== null || server.child.signalCode !== null)
        throw new CountersignError('internal', `the server ended at ${endpoint.name}, seed ${seed}, near index ${index}:\n${server.said()}`)
      if (finding !== undefined) tell(endpoint, index, mutant, finding, tally)
    }
    line.close()
  }
  await Promise.all(Array.from({ length: lines }, worker))
  const statuses = [...tally.statuses].sort((a, b) => b[1] - a[1]).map(([status, count]) => `${status}: ${count}`)
  const seconds = (performance.now() - start) / 1000
  say(`${endpoint.name.padEnd(44)} ${seconds.toFixed(1)} s, slowest ${tally.slowestMs.toFixed(0)} ms, ${statuses.join(', ')}`)
  if (tally.findings > 0) say(server.said().slice(-2000))
  return tally.findings
}

function mutantOf(endpoint: Endpoint, index: number, port: number, all: readonly Endpoint[]): RequestMutant {
  const random = seeded(seed ^ hashOf(`${endpoint.name} ${index}`))
  const sampleOf = ({ samples }: Endpoint) => samples[random.below(samples.length)]
  const sample = sampleOf(endpoint)
  const other = sampleOf(random.below(4) === 0 ? (all[random.below(all.length)] ?? endpoint) : endpoint)
  if (sample === undefined || other === undefined) throw new CountersignError('internal', `no samples for ${endpoint.name}`)
  return requestMutant(sample, other, `localhost:${port}`, random)
}

/** Sends one mutant; says what is wrong with the answer. */
async function offence(mutant: RequestMutant, line: Line, port: number, tally: Tally): Promise<string | undefined> {
  if (!mutant.framed) {
    const answers = await sendOnce(port, mutant.bytes, quietMs, lateMs)
    if (answers === undefined) return 'the connection stays open after its end'
    for (const status of answers) note(tally, status)
    const bad = answers.find((status) => status >= 500 && status !== 503)
    return bad === undefined ? undefined : `status ${bad}`
  }
  const answer = await line.send(mutant.bytes, mutant.head)
  if (answer.kind === 'late') return `no answer within ${lateMs} ms`
  // A server that refuses a long body closes while it still comes: its answer may be lost with it.
  if (answer.kind === 'closed') return mutant.bytes.length > longBytes ? undefined : 'closed without an answer'
  const { status, head, body } = answer
  note(tally, status)
  if (status === 503 && /\r\nretry-after: /i.test(head)) return undefined
  // What a server cannot do at all is told so (RFC 9110 §15.6.2); anything else of this class is its own fault.
  if (status >= 500) return `status ${status}: ${Buffer.from(body).toString().slice(0, 200)}`
  if (status < 200 || status > 299 || body.length === 0 || !mutant.bytes.subarray(0, 4).every((byte, i) => byte === 'POST'.charCodeAt(i)))
    return undefined
  return judged(mutant.bytes, body)
}

/** By where it went in the end: mutants of one endpoint reach others too. */
function judged(sent: Uint8Array, body: Uint8Array): string | undefined {
  const path = Buffer.from(sent.subarray(5, 200)).toString('latin1').split(/[ ?]/, 1)[0] ?? ''
  const endpoint = judges.find(({ name }) => name.split(' ')[1] === path)
  try {
    return endpoint?.judge?.(sent, body)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `an answer that cannot be read: ${cause.message}`
  }
}

function note({ statuses }: Tally, status: number): void {
  statuses.set(status, (statuses.get(status) ?? 0) + 1)
}

function tell(endpoint: Endpoint, index: number, { bytes, what }: RequestMutant, finding: string, tally: Tally): void {
  tally.findings++
  if (tally.findings > 1) return
  const results = resolve(import.meta.dirname, 'results')
  mkdirSync(results, { recursive: true })
  const file = join(results, `finding-${endpoint.name.replaceAll(/[^a-z0-9]+/gi, '-')}-${seed}-${index}.bin`)
  writeFileSync(file, bytes)
  say(`FINDING at ${endpoint.name}, --seed ${seed} --index ${index} (${what}; ${file}):\n  ${finding}`)
}

function hashOf(text: string): number {
  let state = 0x811c9dc5
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return state >>> 0
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
