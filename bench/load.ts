/** A generator of load for services on loopback: as many connections as clients, each with one request on its way. */
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { CountersignError } from '@countersign/core/failure'

/** What is sent: the n-th request of the run as the bytes of HTTP/1.1. */
export type LoadPlan = {
  readonly url: URL
  readonly clients: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly request: (n: number) => Buffer
  /** Statuses that count as done; any other ends the run. */
  readonly accepted: readonly number[]
}

/** What came back. Times are of a whole request, milliseconds. */
export type LoadResult = { readonly perSecond: number; readonly done: number; readonly p50Ms: number; readonly p99Ms: number }

/** An HTTP/1.1 request with a body. */
export function httpPost(url: URL, type: string, body: Uint8Array): Buffer {
  const head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

/** An HTTP/1.1 request without one. */
export function httpGet(url: URL): Buffer {
  return Buffer.from(`GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: ${url.host}\r\n\r\n`)
}

/** Runs the load. Throws `io_failed` when a connection breaks or an answer is not accepted. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const times: number[] = []
  const start = performance.now() + plan.warmUpSeconds * 1000
  const end = start + plan.seconds * 1000
  let next = 0
  await Promise.all(
    Array.from({ length: plan.clients }, () =>
      client(
        plan,
        () => next++,
        end,
        (began, ended) => {
          if (ended >= start && ended < end) times.push(ended - began)
        },
      ),
    ),
  )
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  return { perSecond: times.length / plan.seconds, done: times.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}

async function client(plan: LoadPlan, take: () => number, end: number, note: (began: number, ended: number) => void): Promise<void> {
  const socket = connect({ host: plan.url.hostname, port: Number(plan.url.port), noDelay: true })
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let began = 0
  const send = (): void => {
    began = performance.now()
    if (began >= end) return finish(socket, resolve)
    socket.write(plan.request(take()))
  }
  socket.once('connect', send)
  socket.once('error', reject)
  socket.once('close', () => reject(new CountersignError('io_failed', 'the server closed a connection')))
  eachAnswer(socket, (status) => {
    if (!plan.accepted.includes(status)) {
      socket.destroy()
      return reject(new CountersignError('io_failed', `an answer with status ${status}`))
    }
    note(began, performance.now())
    send()
  })
  return promise
}

function finish(socket: Socket, resolve: () => void): void {
  socket.removeAllListeners('close')
  socket.destroy()
  resolve()
}

/** Answers have a `content-length`, which the servers under test all give. */
function eachAnswer(socket: Socket, done: (status: number) => void): void {
  let held: Buffer = Buffer.alloc(0)
  socket.on('data', (part: Buffer) => {
    held = held.length === 0 ? part : Buffer.concat([held, part])
    const head = held.indexOf('\r\n\r\n')
    if (head < 0) return
    const text = held.toString('latin1', 0, head)
    const length = /\r\ncontent-length: *([0-9]+)/i.exec(text)?.[1]
    if (held.length < head + 4 + Number(length ?? 0)) return
    held = held.subarray(head + 4 + Number(length ?? 0))
    done(Number(text.slice(9, 12)))
  })
}
