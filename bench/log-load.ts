/** Entries for a Rekor v2 log, signed beforehand, and clients that send them: the same for our log and for rekor-tiles. */
import { generateKeyPairSync, hash, randomBytes, sign } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { CountersignError } from '@countersign/core/failure'

/** What so many clients got out of a log, each asking again as soon as it is answered. */
export type LogLoad = {
  readonly clients: number
  readonly entries: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Answers that were not 201, by status. */
  readonly refused: Readonly<Record<string, number>>
}

/** Requests, ready to be sent: each a P-256 signature by one key over a digest of its own. */
export function signEntries(url: URL, count: number): readonly Buffer[] {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rawBytes = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const verifier = { publicKey: { rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' }
  const path = `${url.pathname.replace(/\/$/, '')}/api/v2/log/entries`
  return Array.from({ length: count }, () => {
    const message = randomBytes(32)
    const digest = hash('sha256', message, 'base64')
    const content = sign('sha256', message, privateKey).toString('base64')
    const body = JSON.stringify({ hashedRekordRequestV002: { digest, signature: { content, verifier } } })
    const head = `POST ${path} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    return Buffer.from(head + body)
  })
}

/**
 * Sends entries from `clients` connections, kept open, each with one request at a time, until `seconds` are over or the entries are. What was
 * answered in the first tenth of the time does not count. Plain sockets: the generator shares the machine with what it measures.
 */
export async function loadLog(url: URL, entries: readonly Buffer[], clients: number, seconds: number): Promise<LogLoad> {
  const start = performance.now()
  const from = start + seconds * 100
  const end = start + seconds * 1000
  const times: number[] = []
  const refused: Record<string, number> = {}
  let next = 0
  let counted = 0
  const answered = (sentAt: number, status: string): void => {
    const now = performance.now()
    if (now < from || now > end) return
    if (status !== '201') {
      refused[status] = (refused[status] ?? 0) + 1
      return
    }
    counted++
    times.push(now - sentAt)
  }
  const take = (): Buffer | undefined => (performance.now() < end ? entries[next++] : undefined)
  await Promise.all(Array.from({ length: clients }, () => oneClient(url, take, answered)))
  if (next > entries.length) throw new CountersignError('internal', 'the bench ran out of signed entries')
  const sorted = times.toSorted((a, b) => a - b)
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
  return { clients, entries: counted, perSecond: counted / (seconds * 0.9), p50Ms: at(0.5), p99Ms: at(0.99), refused }
}

/** One connection; ends when there is nothing more to send. */
async function oneClient(url: URL, take: () => Buffer | undefined, answered: (sentAt: number, status: string) => void): Promise<void> {
  const socket = connect(Number(url.port), url.hostname)
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => {
    let sentAt = 0
    let received = ''
    const send = (): void => {
      const request = take()
      if (request === undefined) {
        socket.end()
        resolve()
        return
      }
      sentAt = performance.now()
      socket.write(request)
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      received += part
      const whole = responseEnd(received)
      if (whole === undefined) return
      const status = received.slice(9, 12)
      received = received.slice(whole)
      answered(sentAt, status)
      send()
    })
  })
  endQuietly(socket)
}

function endQuietly(socket: Socket): void {
  socket.removeAllListeners('error')
  socket.on('error', () => undefined)
  socket.destroy()
}

/** Where the response ends, once it is there: after as many bytes as it says, or after the last chunk. */
function responseEnd(received: string): number | undefined {
  const head = received.indexOf('\r\n\r\n')
  if (head === -1) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, head))
  if (length !== null) {
    const end = head + 4 + Number(length[1])
    return received.length >= end ? end : undefined
  }
  return received.endsWith('\r\n0\r\n\r\n') || received.endsWith('\n0\r\n\r\n') ? received.length : undefined
}
