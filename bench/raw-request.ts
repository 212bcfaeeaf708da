/** HTTP/1.1 requests as bytes, sent as they are: also those that no client would make. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A request before it is bytes. Names of headers are as they are sent. */
export type RawRequest = {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: Uint8Array
}

/** What came back. `late` when nothing came in time; `closed` when the connection ended without an answer. */
type RawAnswer =
  | { readonly kind: 'answer'; readonly status: number; readonly head: string; readonly body: Uint8Array }
  | { readonly kind: 'closed' }
  | { readonly kind: 'late' }

/** The bytes; a `content-length` is added where the method takes a body or there is one, unless the headers say something about it. */
export function wireBytes({ method, path, headers, body }: RawRequest, host: string): Uint8Array {
  const told = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name))
  const length: readonly (readonly [string, string])[] =
    told || (body.length === 0 && method === 'GET') ? [] : [['Content-Length', String(body.length)]]
  const named = headers.some(([name]) => name.toLowerCase() === 'host') ? headers : [['Host', host] as const, ...headers]
  const lines = [`${method} ${path} HTTP/1.1`, ...[...named, ...length].map(([name, value]) => `${name}: ${value}`), '', '']
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body])
}

/** One connection that is kept open; one request at a time. */
export type Line = { readonly send: (bytes: Uint8Array, head: boolean) => Promise<RawAnswer>; readonly close: () => void }

/** A line to a port of loopback, which connects again when the server closed it. */
export function keptLine(port: number, lateMs: number): Line {
  let socket: Socket | undefined
  return {
    send: async (bytes, head) => {
      // The server may have closed it after its last answer.
      if (socket !== undefined && (socket.destroyed || socket.readableEnded || !socket.writable)) socket = undefined
      const reused = socket !== undefined
      socket ??= await connected(port)
      const answer = await exchange(socket, bytes, head, lateMs)
      if (answer.kind !== 'answer' || /\r\nconnection: close/i.test(answer.head)) {
        socket.destroy()
        socket = undefined
      }
      // A server may close a line that was idle; the request never reached it then.
      if (answer.kind === 'closed' && reused) {
        socket = await connected(port)
        return exchange(socket, bytes, head, lateMs)
      }
      return answer
    },
    close: () => socket?.destroy(),
  }
}

/**
 * Sends bytes that may be no request, or several, on a connection of their own: gives the status of each answer on it. `undefined` when the
 * server keeps the connection beyond the time although the sender has ended.
 */
export async function sendOnce(port: number, bytes: Uint8Array, quietMs: number, lateMs: number): Promise<readonly number[] | undefined> {
  const socket = await connected(port)
  let received = ''
  socket.on('data', (part: Buffer) => (received += part.toString('latin1')))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => socket.destroy())
  socket.write(bytes)
  // Whoever ends at once is not answered: a moment for what is whole.
  await firstOf(closed, quietMs)
  for (let more = 0; more < 3 && socket.bytesRead === 0; more++) await firstOf(closed, quietMs)
  socket.end()
  await firstOf(closed, lateMs)
  const late = !socket.closed
  socket.destroy()
  return late ? undefined : [...received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]))
}

/** Waits for the end, or as long. */
async function firstOf(closed: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController()
  await Promise.race([closed, sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined)])
  timer.abort()
}

async function connected(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: false })
    const ok = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    if (ok) {
      socket.removeAllListeners('error')
      return socket
    }
    socket.destroy()
    await sleep(50)
  }
}

function exchange(socket: Socket, bytes: Uint8Array, head: boolean, lateMs: number): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let held: Buffer = Buffer.alloc(0)
    const finish = (answer: RawAnswer): void => {
      clearTimeout(timer)
      for (const event of ['data', 'end', 'close', 'error']) socket.removeAllListeners(event)
      socket.on('error', () => socket.destroy())
      resolve(answer)
    }
    const timer = setTimeout(() => finish({ kind: 'late' }), lateMs)
    socket.on('error', () => finish(readAnswer(held, head, true) ?? { kind: 'closed' }))
    socket.on('end', () => finish(readAnswer(held, head, true) ?? { kind: 'closed' }))
    socket.on('close', () => finish(readAnswer(held, head, true) ?? { kind: 'closed' }))
    socket.on('data', (part: Buffer) => {
      held = held.length === 0 ? part : Buffer.concat([held, part])
      const answer = readAnswer(held, head, false)
      if (answer !== undefined) finish(answer)
    })
    socket.write(bytes)
  })
}

/** The answer, once it is whole; `undefined` before. */
function readAnswer(held: Buffer, head: boolean, ended: boolean): RawAnswer | undefined {
  const end = held.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const text = held.toString('latin1', 0, end)
  const status = Number(text.slice(9, 12))
  if (status >= 100 && status < 200) return readAnswer(held.subarray(end + 4), head, ended)
  const body = held.subarray(end + 4)
  if (head || status === 204 || status === 304) return { kind: 'answer', status, head: text, body: new Uint8Array() }
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(text)?.[1]
  if (length !== undefined)
    return body.length < Number(length) ? undefined : { kind: 'answer', status, head: text, body: body.subarray(0, Number(length)) }
  if (/\r\ntransfer-encoding: *chunked/i.test(text))
    return body.includes('0\r\n\r\n') ? { kind: 'answer', status, head: text, body } : undefined
  return ended ? { kind: 'answer', status, head: text, body } : undefined
}
