/** Clients of all services at once, against servers that may die at any moment: what was acknowledged is remembered, what was not is asked again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { hashedrekordBody } from '@countersign/core/rekor/body'
import { parseCreateEntryRequest } from '@countersign/core/rekor/request'
import { hashBytes } from '@countersign/server/base/crypto/primitives'
import type { Acknowledged, Judge, LogName } from './service-answers.ts'
import {
  type BenchIssuer,
  type CertificateWish,
  type EntryWish,
  type ServiceRequest,
  certificateWish,
  rekor1Wish,
  rekor2Wish,
  timestampWish,
} from './service-requests.ts'
import { broken, type TreesSeen } from './trees-seen.ts'

/** What clients remember of an installation. */
export type Memory = {
  readonly seen: Readonly<Record<LogName, TreesSeen>>
  /** Entries that were sent and never answered: each must be taken when it is sent again, or be there. */
  readonly open: { readonly log: 'rekor1' | 'rekor2'; readonly wish: EntryWish }[]
  /** IDs of entries of Rekor v1, to be asked for. */
  readonly ids: string[]
  readonly counts: Record<string, number>
  /** Milliseconds at which something of each log was acknowledged last, by the monotonic clock. */
  readonly last: Record<LogName, number>
}

/** What clients need. */
export type LoadPorts = {
  readonly judge: Judge
  readonly memory: Memory
  readonly issuer: BenchIssuer
  readonly servers: () => readonly string[]
}

const primitives = { hash: hashBytes }
const answerMs = 25_000
let sent = 0

/** Runs clients until `over` says so; each has one request on its way, to any of the servers. */
export async function mixedLoad(ports: LoadPorts, over: () => boolean): Promise<void> {
  const clients: (() => Promise<void>)[] = [
    ...Array.from({ length: 10 }, () => () => sendEntry(ports, 'rekor2', rekor2Wish())),
    ...Array.from({ length: 6 }, () => () => sendEntry(ports, 'rekor1', rekor1Wish(sent++))),
    ...Array.from({ length: 5 }, () => () => sendCertificate(ports)),
    ...Array.from({ length: 2 }, () => () => sendTimestamp(ports)),
    () => monitor(ports),
    () => readTrust(ports),
  ]
  await Promise.all(
    clients.map(async (client) => {
      while (!over()) await client()
    }),
  )
}

/** Sends again what was never answered; all of it must be taken or be there. */
export async function settleOpen(ports: LoadPorts): Promise<void> {
  const left = ports.memory.open.splice(0)
  await Promise.all(left.map(async ({ log, wish }) => sendEntry(ports, log, wish)))
}

type Answer = { readonly status: number; readonly headers: Headers; readonly bytes: Uint8Array }

/** `undefined` when there was no whole answer: the server died. An answer that does not come is a failure of its own. */
async function ask(ports: LoadPorts, path: string, request?: ServiceRequest): Promise<Answer | undefined> {
  const servers = ports.servers()
  const server = servers[Math.floor(Math.random() * servers.length)]
  if (server === undefined) {
    await sleep(20)
    return undefined
  }
  const body =
    request === undefined
      ? {}
      : { method: 'POST', body: Buffer.from(request.body), headers: { 'content-type': request.type, ...request.headers } }
  try {
    const response = await fetch(`${server}${path}`, { ...body, signal: AbortSignal.timeout(answerMs) })
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (response.status >= 500 && response.status !== 503)
      throw broken(`${path} answered ${response.status}: ${Buffer.from(bytes).toString().slice(0, 300)}`)
    return { status: response.status, headers: response.headers, bytes }
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === 'TimeoutError') throw broken(`${path} did not answer within ${answerMs} ms`)
    if (!(thrown instanceof TypeError)) throw thrown
    count(ports, 'cut off')
    await sleep(5)
    return undefined
  }
}

function count({ memory: { counts } }: LoadPorts, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1
}

async function sendEntry(ports: LoadPorts, log: 'rekor1' | 'rekor2', wish: EntryWish): Promise<void> {
  const { judge, memory } = ports
  const answer = await ask(ports, wish.path, wish)
  if (answer === undefined || answer.status === 503) {
    if (answer !== undefined) await refusedForNow(ports, log, answer)
    memory.open.push({ log, wish })
    return
  }
  const text = Buffer.from(answer.bytes).toString()
  // Already there: an answer of before was lost, the entry was not.
  if (answer.status === 409) return thereAlready(ports, log, wish, answer)
  if (answer.status !== 201) throw broken(`${log}: a valid entry was answered with ${answer.status}: ${text.slice(0, 300)}`)
  const acknowledged = log === 'rekor2' ? await judge.rekor2(wish, text) : await judge.rekor1(text, wish)
  remember(ports, log, acknowledged)
  if (log === 'rekor1' && acknowledged.id !== undefined) memory.ids.push(acknowledged.id)
}

/** The answer says where; that is looked up like everything that was acknowledged. */
function thereAlready({ memory }: LoadPorts, log: 'rekor1' | 'rekor2', wish: EntryWish, { headers }: Answer): void {
  const id = /[0-9a-f]{80}$/.exec(headers.get('location') ?? '')?.[0]
  const index = headers.get('x-log-index')
  if (log === 'rekor1' && id !== undefined) memory.ids.push(id)
  else if (log === 'rekor2' && index !== null) {
    const body = hashedrekordBody(parseCreateEntryRequest(primitives, wish.body))
    memory.seen.rekor2.entry(Number(index), hashLeaf(primitives, body))
  } else throw broken(`${log}: a duplicate without its place`)
  memory.counts[`${log} there already`] = (memory.counts[`${log} there already`] ?? 0) + 1
}

async function refusedForNow(ports: LoadPorts, what: string, answer: Answer): Promise<void> {
  if (answer.headers.get('retry-after') === null) throw broken(`${what}: 503 without Retry-After`)
  count(ports, `${what} 503`)
  await sleep(20)
}

function remember(ports: LoadPorts, log: LogName, { index, leafHash, tree }: Acknowledged): void {
  const { seen, last } = ports.memory
  seen[log].entry(index, leafHash)
  if (tree !== undefined) seen[log].tree(tree)
  last[log] = performance.now()
  count(ports, log)
}

async function sendCertificate(ports: LoadPorts): Promise<void> {
  const wish: CertificateWish = certificateWish(ports.issuer, `user-${sent++}@example.com`)
  const answer = await ask(ports, wish.path, wish)
  if (answer === undefined) return
  if (answer.status === 503) return refusedForNow(ports, 'ct', answer)
  const text = Buffer.from(answer.bytes).toString()
  if (answer.status !== 200) throw broken(`fulcio: a valid request was answered with ${answer.status}: ${text.slice(0, 300)}`)
  const { chain } = (JSON.parse(text) as { signedCertificateEmbeddedSct: { chain: { certificates: string[] } } })
    .signedCertificateEmbeddedSct
  remember(ports, 'ct', await ports.judge.certificate(wish, chain.certificates.join('')))
}

async function sendTimestamp(ports: LoadPorts): Promise<void> {
  const wish = timestampWish()
  const answer = await ask(ports, wish.path, wish)
  if (answer === undefined) return
  if (answer.status === 503) return refusedForNow(ports, 'tsa', answer)
  if (answer.status !== 200 && answer.status !== 201) throw broken(`tsa: a valid request was answered with ${answer.status}`)
  await ports.judge.timestamp(wish, answer.bytes)
  count(ports, 'timestamps')
}

/** Looks at every checkpoint, as monitors do, and remembers it. */
async function monitor(ports: LoadPorts): Promise<void> {
  for (const log of ['rekor2', 'rekor1', 'ct'] as const) {
    const note = await currentNote(ports, log)
    if (note === undefined) continue
    ports.memory.seen[log].tree(await ports.judge.checkpoint(log, note))
    count(ports, 'checkpoints')
  }
  await sleep(10)
}

/** The checkpoint of a log now. */
export async function currentNote(ports: LoadPorts, log: LogName): Promise<string | undefined> {
  const paths = { rekor1: '/rekor/api/v1/log', rekor2: '/rekor2/api/v2/checkpoint', ct: '/ct/checkpoint' }
  const answer = await ask(ports, paths[log])
  if (answer === undefined) return undefined
  const text = Buffer.from(answer.bytes).toString()
  if (answer.status !== 200) throw broken(`${log}: its checkpoint was answered with ${answer.status}: ${text.slice(0, 300)}`)
  return log === 'rekor1' ? (JSON.parse(text) as { readonly signedTreeHead: string }).signedTreeHead : text
}

const metadata = '"signed"'

async function readTrust(ports: LoadPorts): Promise<void> {
  const answer = await ask(ports, '/tuf/timestamp.json')
  if (answer === undefined) return
  if (answer.status !== 200 || !Buffer.from(answer.bytes).includes(metadata))
    throw broken(`tuf: timestamp.json was answered with ${answer.status}`)
  count(ports, 'metadata')
  await sleep(10)
}

/** One file of a service, which must be there. */
export async function readFileOf(ports: LoadPorts, path: string): Promise<Uint8Array> {
  const answer = await ask(ports, path)
  if (answer?.status === 200) return answer.bytes
  throw broken(`${path} was answered with ${answer?.status ?? 'nothing'}`)
}
