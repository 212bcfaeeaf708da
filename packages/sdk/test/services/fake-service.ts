/** A service on loopback that answers as a test says, and a client to ask it with. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CountersignError } from '@countersign/core/failure'
import type { HttpClient } from '@countersign/sdk/http/client'
import { openClient } from '@countersign/sdk/open-client'
import { expect, onTestFinished } from 'vitest'

/** What it was asked. */
export type Asked = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly bytes: Buffer
}

/** What it answers; `lost` breaks the connection. */
export type Answer =
  | { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: string | Uint8Array | object }
  | 'lost'

/** A running service. */
export type FakeService = { readonly url: string; readonly asked: readonly Asked[] }

/** Starts one; it ends with the test. */
export async function fakeService(answer: (asked: Asked, times: number) => Answer | Promise<Answer>): Promise<FakeService> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const bytes = Buffer.concat(parts)
      const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body: bytes.toString(), bytes }
      asked.push(one)
      void Promise.resolve(answer(one, asked.length)).then((given) => {
        if (given === 'lost') return request.socket.destroy()
        const { status = 200, headers = {}, body = '' } = given
        const plain = typeof body === 'string' || body instanceof Uint8Array
        return response.writeHead(status, headers).end(plain ? body : JSON.stringify(body))
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** A client that tries three times, and does not wait between. */
export async function testClient(deadlineMs = 10_000): Promise<HttpClient> {
  const client = await openClient({ environment: {}, deadlineMs }, { retries: 2, retryDelayMs: 1 })
  onTestFinished(() => client.close())
  return client
}

/** What a promise rejects with, or a function throws. */
export async function failureOf(failing: Promise<unknown> | (() => unknown)): Promise<CountersignError> {
  let thrown: unknown
  try {
    await (typeof failing === 'function' ? failing() : failing)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(CountersignError)
  return thrown as CountersignError
}

/** Everything that a failure could show to anyone, causes and stacks among it. */
export function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? ''
  return `${error.message}\n${error.stack ?? ''}\n${JSON.stringify(error)}\n${everythingIn(error.cause)}`
}
