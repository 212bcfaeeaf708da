/** `fetch` for a store that is trusted with bytes and with nothing else: answers are bounded, redirects are not followed. */
import { joinBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'

/** Reads each answer whole, up to `maxBytes`; a longer one fails with `blob_store_failed`, a cut one with what `fetch` throws. */
export function boundedFetch(maxBytes: number): typeof fetch {
  return async (input, init) => {
    // Credentials and bytes go where the operator said, and nowhere else.
    const response = await fetch(input, { ...init, redirect: 'error' })
    const { status, statusText, headers } = response
    const body = await readBody(response, maxBytes)
    return new Response(body.length === 0 ? null : body, { status, statusText, headers })
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > maxBytes) throw new CountersignError('blob_store_failed', `the store answered with more than ${maxBytes} bytes`)
    parts.push(part)
  }
  return new Uint8Array(joinBytes(parts))
}
