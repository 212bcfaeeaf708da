/** Asks a time server (SNTP over UDP, RFC 4330, RFC 5905 §7.3, §14). */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { CountersignError } from '@countersign/core/failure'
import type { Clock } from '../../base/clock.ts'
import type { TimeSource } from './clock-watch.ts'
import type { TimeSample } from './time-quorum.ts'

/** Where a time server is, and the clocks that it is compared with. */
export type SntpOptions = {
  readonly host: string
  /** Default 123. */
  readonly port?: number
  /** Default 2,000 ms. */
  readonly timeoutMs?: number
  readonly wall: Clock
  /** Milliseconds of a clock that nobody sets: the way there and back is measured with it. */
  readonly monotonic: () => number
}

const packetBytes = 48
const ntpEpochMs = Date.UTC(1900, 0, 1)
const eraSeconds = 2 ** 32

/** A time source that asks one server; fails with `clock_untrusted` when there is no answer that fits. */
export function sntpSource(options: SntpOptions): TimeSource {
  const name = options.port === undefined ? options.host : `${options.host}:${options.port}`
  return { name, ask: () => askServer(name, options) }
}

async function askServer(name: string, { host, port = 123, timeoutMs = 2_000, wall, monotonic }: SntpOptions): Promise<TimeSample> {
  // RFC 9109 in spirit: instead of our time, random bytes travel; the answer must repeat them, which nobody beside the way can guess.
  const cookie = randomBytes(8)
  const request = Buffer.alloc(packetBytes)
  request[0] = 0x23
  cookie.copy(request, 40)
  const [sentMs, startMs] = [wall(), monotonic()]
  const answer = await exchange(host, port, request, timeoutMs, (packet) => packet.subarray(24, 32).equals(cookie))
  const tookMs = monotonic() - startMs
  return readAnswer(name, answer, sentMs, tookMs)
}

/** Sends a packet and waits for the first answer from there that `fits`. */
async function exchange(
  host: string,
  port: number,
  request: Buffer,
  timeoutMs: number,
  fits: (packet: Buffer) => boolean,
): Promise<Buffer> {
  const { lookup } = await import('node:dns/promises')
  const { address, family } = await lookup(host)
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const timer = setTimeout(() => reject(unusable(host, `no answer within ${timeoutMs} ms`)), timeoutMs)
  socket.once('error', reject)
  socket.on('message', (packet) => {
    if (packet.length >= packetBytes && fits(packet)) resolve(packet)
  })
  try {
    // A connected socket takes answers from that address alone.
    socket.connect(port, address, () => socket.send(request))
    return await promise
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}

/** RFC 5905 §8: how far the clock is behind, from when the question left here and arrived there, and back. Exported for its tests. */
export function readAnswer(name: string, packet: Uint8Array, sentMs: number, tookMs: number): TimeSample {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const head = view.getUint8(0)
  const [leap, mode, stratum] = [head >> 6, head & 7, view.getUint8(1)]
  // Hostile or not: a server that says itself that it does not know the time, or that asks to be left alone (stratum 0), is no source.
  if (mode !== 4 || leap === 3 || stratum < 1 || stratum > 15) throw unusable(name, 'it does not know the time')
  const [arrivedMs, leftMs] = [readTimestamp(view, 32, sentMs), readTimestamp(view, 40, sentMs)]
  const travelMs = tookMs - (leftMs - arrivedMs)
  if (!(travelMs >= 0) || leftMs < arrivedMs) throw unusable(name, 'its answer contradicts itself')
  const rootMs = view.getInt32(4) / 131.072 + view.getUint32(8) / 65.536
  const errorMs = travelMs / 2 + Math.max(0, rootMs) + 1
  return { source: name, offsetMs: (arrivedMs - sentMs + (leftMs - (sentMs + tookMs))) / 2, errorMs }
}

/** RFC 4330 §3: seconds since 1900 and a fraction, of the era that is nearest to what the clock says. */
function readTimestamp(view: DataView, at: number, nearMs: number): number {
  const seconds = view.getUint32(at) + view.getUint32(at + 4) / eraSeconds
  const era = Math.round(((nearMs - ntpEpochMs) / 1000 - seconds) / eraSeconds)
  return ntpEpochMs + (seconds + era * eraSeconds) * 1000
}

function unusable(name: string, detail: string): CountersignError {
  return new CountersignError('clock_untrusted', `the time server ${name} gives no time: ${detail}`)
}
