/** An S3 in this process, in memory, on loopback: checks signatures and checksums, keeps conditions, lists in pages, plays faults on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createFaultPlan, type Fault, type FaultAction } from '../registry/fault.ts'
import { answerRequest, type S3Answer, type S3Object, type S3Request, s3Error } from './answer.ts'
import { type S3Credentials, signatureFault } from './signature.ts'

/** How the test store differs from S3. */
export type TestS3Options = {
  /** Names in an answer to a list; default 100, so that lists have pages. */
  readonly pageSize?: number
  /** Takes a conditional write for a plain one, as some stores do. */
  readonly ignoresConditions?: boolean
}

/** A running store with the bucket `bucket`. */
export type TestS3 = {
  /** URL of the bucket. */
  readonly endpoint: string
  readonly credentials: S3Credentials
  readonly objects: Map<string, S3Object>
  /** Method and path with query of every request, and the status that it got (0: none). */
  readonly log: readonly { readonly method: string; readonly path: string; readonly status: number }[]
  /** `status`, `status_after`, `delay`, `truncate`, `reset`, `reset_after`; what else a fault may be is ignored. */
  readonly fault: (fault: Fault) => void
  readonly stop: () => Promise<void>
}

/** Starts a store on a free port of loopback. */
export async function startTestS3(options: TestS3Options = {}): Promise<TestS3> {
  const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: 'test/secret+key', region: 'test-1' }
  const objects = new Map<string, S3Object>()
  const log: { method: string; path: string; status: number }[] = []
  const faults = createFaultPlan()

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const request: S3Request = {
      method: incoming.method ?? '',
      target: incoming.url ?? '',
      headers: incoming.headers,
      body: await bodyOf(incoming),
    }
    const entry = { method: request.method, path: request.target, status: 0 }
    log.push(entry)
    const action = faults.take(request.method, request.target)
    if (action?.kind === 'reset') return void incoming.socket.destroy()
    if (action?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, action.ms))
    const refusal = signatureFault(incoming, request.body, credentials, Date.now())
    const settings = { pageSize: options.pageSize ?? 100, ignoresConditions: options.ignoresConditions === true }
    const answer = refusal === undefined ? faulty(action, () => answerRequest(request, objects, settings)) : s3Error(403, refusal)
    if (action?.kind === 'reset_after') return void incoming.socket.destroy()
    entry.status = answer.status
    send(outgoing, request.method, answer, action)
  }
  const server = createServer((incoming, outgoing) => void serve(incoming, outgoing))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}/bucket`,
    credentials,
    objects,
    log,
    fault: faults.add,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function faulty(action: FaultAction | undefined, work: () => S3Answer): S3Answer {
  if (action?.kind === 'status') {
    const error = s3Error(action.status, 'SlowDown')
    return {
      ...error,
      headers: { ...error.headers, ...action.headers },
      body: action.body === undefined ? error.body : Buffer.from(action.body),
    }
  }
  const answer = work()
  return action?.kind === 'status_after' ? s3Error(action.status, 'InternalError') : answer
}

function send(outgoing: ServerResponse, method: string, answer: S3Answer, action: FaultAction | undefined): void {
  const { status, headers, body } = answer
  outgoing.writeHead(status, status === 204 ? headers : { ...headers, 'content-length': body.length })
  if (action?.kind === 'truncate') {
    outgoing.write(body.subarray(0, action.afterBytes), () => outgoing.destroy())
    return
  }
  outgoing.end(method === 'HEAD' || status === 204 ? undefined : body)
}

async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
