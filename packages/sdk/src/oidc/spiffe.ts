/** SPIFFE Workload API (`FetchJWTSVID`, gRPC over a Unix socket): a token of this workload from its agent. */
import { existsSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { concatBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { deadlineExceeded } from '../http/deadline.ts'
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
  } catch (error) {
    throw client.deadline.signal.aborted ? deadlineExceeded(client.deadline, `waiting for ${service}`, error) : error
  } finally {
    client.deadline.signal.removeEventListener('abort', stop)
    session.destroy()
  }
}

/** One call with one answer: the first message of the stream. Each message has a byte of flags and four of length before it. */
function call(session: ClientHttp2Session, audience: string): Promise<Uint8Array> {
  const message = textField(1, audience)
  const frame = concatBytes(Uint8Array.of(0, 0, 0, message.length >> 8, message.length & 255), message)
  return new Promise((resolve, reject) => {
    const fail = (detail: string, cause?: unknown): void =>
      reject(new CountersignError('service_failed', `${service} gave no token: ${detail}`, cause === undefined ? {} : { cause }))
    session.on('error', (cause) => fail('the connection failed', cause))
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
    let status: string | undefined
    stream.on('data', (part: Uint8Array) => {
      length += part.length
      parts.push(part)
      if (length > maxBytes) {
        fail(`more than ${maxBytes} bytes`)
        stream.close()
      }
    })
    // A refusal comes in the head when nothing else does.
    stream.on('response', (head) => (status ??= head['grpc-status']?.toString()))
    stream.on('trailers', (trailers) => (status = trailers['grpc-status']?.toString()))
    stream.on('error', (cause) => fail('the call failed', cause))
    stream.on('close', () => {
      if (status === '0') resolve(concatBytes(...parts))
      else fail(status === undefined ? 'the call broke off' : `status ${status.slice(0, 20)}`)
    })
    stream.end(frame)
  })
}

function tokenIn(answer: Uint8Array): string {
  const length = answer.length < 5 ? 0 : new DataView(answer.buffer, answer.byteOffset, answer.length).getUint32(1)
  const [svid] = fieldsOf(answer.subarray(5, 5 + length), 1) ?? []
  const [token] = svid === undefined ? [] : (fieldsOf(svid, 2) ?? [])
  if (token === undefined) throw new CountersignError('service_response_malformed', `${service} gave an answer without a token`)
  return new TextDecoder().decode(token)
}
