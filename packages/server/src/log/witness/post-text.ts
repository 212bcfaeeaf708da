/** The client's way to the network: undici, with bounds. */
import { CountersignError } from '@countersign/core/failure'
import { request } from 'undici'
import { outgoing, type ProxyEnvironment } from '../../base/http/outgoing.ts'
import type { PostText } from './client.ts'

const maxBytes = 64 * 1024

/** Posts over http or https, through the proxy of the environment; no redirect is followed. */
export function postTextThrough(environment: ProxyEnvironment): PostText {
  const dispatcher = outgoing({ connect: { timeout: 10_000 } }, environment)
  return async (url, body, signal) => {
    const headers = { 'content-type': 'text/plain; charset=utf-8' }
    const reply = await request(url, { method: 'POST', body, signal, dispatcher, headers })
    let text = ''
    reply.body.setEncoding('utf8')
    for await (const part of reply.body) {
      text += String(part)
      if (text.length > maxBytes) throw new CountersignError('witness_refused', `${new URL(url).host} answered more than ${maxBytes} bytes`)
    }
    const type = reply.headers['content-type']
    return { status: reply.statusCode, type: typeof type === 'string' ? type : '', body: text }
  }
}
