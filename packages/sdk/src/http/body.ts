/** Reads bodies whole, within a bound. */
import { collectBytes, joinBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { describeRequest, isBrokenOff } from './failures.ts'
import { contentLength, type HttpRequest, type HttpResponse } from './message.ts'

/**
 * The whole body, at most `limit` bytes. Throws `limit_exceeded` as soon as more is announced or arrives: a hostile server may
 * send without end.
 */
export async function readBody(response: HttpResponse, request: HttpRequest, limit: number): Promise<Uint8Array> {
  const announced = contentLength(response)
  if (announced !== undefined && announced > limit && request.method !== 'HEAD') {
    response.discard()
    throw tooLong(request, limit)
  }
  const collected = collectBytes()
  let length = 0
  for await (const part of response.body) {
    length += part.length
    if (length > limit) throw tooLong(request, limit)
    collected.add(part)
  }
  return collected.join()
}

/** Does work that reads a body whole, up to twice more when the body breaks off: what was read so far is not used. */
export async function againWhenBroken<T>(work: () => Promise<T>): Promise<T> {
  for (let left = 2; ; left--) {
    try {
      return await work()
    } catch (error) {
      if (left === 0 || !isBrokenOff(error)) throw error
    }
  }
}

function tooLong(request: HttpRequest, limit: number): CountersignError {
  return new CountersignError('limit_exceeded', `${describeRequest(request)}: the answer is longer than ${limit} bytes`)
}

/** Up to `limit` bytes of a body, for a message; the rest is given up. A body that breaks off gives what arrived. */
export async function peekBody(response: HttpResponse, limit: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of response.body) {
      parts.push(part.subarray(0, limit - length))
      length += part.length
      if (length >= limit) break
    }
  } catch (error) {
    // The status is known and is the failure to tell; an error body that breaks off changes nothing about it.
    if (!(error instanceof CountersignError)) throw error
  }
  return joinBytes(parts)
}
