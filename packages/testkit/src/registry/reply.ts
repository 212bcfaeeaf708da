/** Writes replies, and plays the faults that befall them. */
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { RegistryReply, RegistryRequest } from './exchange.ts'
import type { FaultAction } from './fault.ts'

const text = new TextEncoder()

/** Answers a request; `work` does what it asks for and is not called by faults that come before. */
export async function answerWith(
  outgoing: ServerResponse,
  request: RegistryRequest,
  fault: FaultAction | undefined,
  work: () => RegistryReply,
): Promise<void> {
  if (fault === undefined) return send(outgoing, request, work())
  switch (fault.kind) {
    case 'status':
      return send(outgoing, request, {
        ...fault,
        body: typeof fault.body === 'string' ? text.encode(fault.body) : (fault.body ?? text.encode('')),
      })
    case 'status_after':
      work()
      return send(outgoing, request, { status: fault.status })
    case 'garbage':
      return send(outgoing, request, {
        status: 200,
        headers: { 'content-type': fault.contentType ?? 'text/html' },
        body: text.encode('<html><body>Please log in</body></html>'),
      })
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.ms))
      return send(outgoing, request, work())
    case 'reset_after':
      work()
      outgoing.destroy()
      return undefined
    case 'reset':
      outgoing.destroy()
      return undefined
    case 'not_http':
      outgoing.socket?.end('SSH-2.0-OpenSSH_9.9\r\n')
      return undefined
    case 'corrupt':
    case 'endless':
    case 'gzip':
    case 'headers':
    case 'truncate':
      return distort(outgoing, request, fault, work())
  }
}

type Distortion = Extract<FaultAction, { readonly kind: 'truncate' | 'endless' | 'corrupt' | 'gzip' | 'headers' }>

function distort(outgoing: ServerResponse, request: RegistryRequest, fault: Distortion, reply: RegistryReply): void {
  const body = reply.body ?? new Uint8Array()
  switch (fault.kind) {
    case 'corrupt': {
      const changed = new Uint8Array(body)
      if (changed.length > 0) changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1
      return send(outgoing, request, { ...reply, body: changed })
    }
    case 'gzip':
      return send(outgoing, request, { ...reply, headers: { ...reply.headers, 'content-encoding': 'gzip' }, body: gzipSync(body) })
    case 'headers':
      return send(outgoing, request, { ...reply, headers: { ...reply.headers, ...fault.headers } })
    case 'truncate':
      outgoing.writeHead(reply.status, { ...reply.headers, 'content-length': String(body.length) })
      outgoing.write(body.subarray(0, fault.afterBytes), () => outgoing.destroy())
      return undefined
    case 'endless':
      outgoing.writeHead(reply.status, { ...reply.headers })
      outgoing.write(body)
      return pour(outgoing)
    default:
      return fault satisfies never
  }
}

function pour(outgoing: ServerResponse): void {
  const chunk = new Uint8Array(64 * 1024).fill(0x20)
  const more = (): void => {
    while (!outgoing.destroyed && outgoing.write(chunk));
  }
  outgoing.on('drain', more)
  outgoing.on('error', () => outgoing.removeListener('drain', more))
  more()
}

function send(outgoing: ServerResponse, request: RegistryRequest, reply: RegistryReply): void {
  const headers = Object.fromEntries(Object.entries(reply.headers ?? {}).filter(([, value]) => value !== ''))
  const body = reply.body ?? new Uint8Array()
  outgoing.writeHead(reply.status, { ...headers, ...(reply.status === 204 ? {} : { 'content-length': String(body.length) }) })
  outgoing.end(request.method === 'HEAD' ? undefined : body)
}
