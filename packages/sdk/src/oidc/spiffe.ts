/** SPIFFE Workload API (`FetchJWTSVID`, gRPC over a Unix socket): a token of this workload from its agent. */
import { existsSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { concatBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { AmbientPlace } from './ambient.ts'
import { fieldsOf, textField } from './protobuf.ts'

const defaultSocket = '/tmp/spire-agent/public/api.sock'
const path = '/SpiffeWorkloadAPI/FetchJWTSVID'
const maxBytes = 65_536
const service = 'the SPIFFE Workload API'

/** Asks the agent that listens at `SPIFFE_ENDPOINT_SOCKET`, or at SPIRE's usual place. `undefined` where no socket is. */
export async function spiffeToken({ client, environment, audience }: AmbientPlace): Promise<string | undefined> {
  const named = environment['SPIFFE_ENDPOINT_SOCKET'] ?? ''
  const socket = named === '' ? defaultSocket : named.replace(/^unix:(?:\/\/)?/, '')
  if (!existsSync(socket)) return undefined
  const { connect } = await import('node:http2')
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) })
  const stop = (): void => session.destroy()
  client.deadline.signal.addEventListener('abort', stop)
  try {
    return tokenIn(await call(session, audience))
  } finally {
    client.deadline.signal.removeEventListener('abort', stop)
    session.close()
  }
}

/** One unary-looking call: the first message of the answer. Each message has a byte of flags and four of length before it. */
function call(session: ClientHttp2Session, audience: string): Promise<Uint8Array> {
  const message = textField(1, audience)
  const frame = concatBytes(Uint8Array.of(0, 0, 0, message.length >> 8, message.length & 255), message)
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void =>
      reject(new CountersignError('service_failed', `${service} gave no token: ${detail}`, cause === undefined ? {} : { cause }))
    session.on('error', (cause) => fail('the connection failed', cause))
    session.on('close', () => fail('the connection ended'))
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      // The agent refuses callers without it, so that no proxy can be made to ask.
      'workload.spiffe.io': 'true',
    })
    const parts: Uint8Array[] = []
    let length = 0
    stream.on('data', (part: Uint8Array) => {
      length += part.length
      if (length > maxBytes) return stream.close()
      parts.push(part)
    })
    stream.on('trailers', (trailers) => {
      if (trailers['grpc-status'] !== '0') fail(`status ${String(trailers['grpc-status'])}`)
    })
    stream.on('error', (cause) => fail('the call failed', cause))
    stream.on('end', () => resolve(concatBytes(...parts)))
    stream.end(frame)
  })
}

function tokenIn(answer: Uint8Array): string {
  const length =
    new DataView(answer.buffer, answer.byteOffset).byteLength >= 5 ? new DataView(answer.buffer, answer.byteOffset).getUint32(1) : 0
  const [svid] = fieldsOf(answer.subarray(5, 5 + length), 1) ?? []
  const [token] = svid === undefined ? [] : (fieldsOf(svid, 2) ?? [])
  if (token === undefined) throw new CountersignError('service_response_malformed', `${service} gave an answer without a token`)
  return new TextDecoder().decode(token)
}
