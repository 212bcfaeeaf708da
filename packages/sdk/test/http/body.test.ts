import { describe, expect, it } from 'vitest'
import { readAll } from '../../src/discover/bounded.ts'
import { readBody } from '../../src/http/body.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/message.ts'

const request: HttpRequest = { method: 'GET', url: new URL('https://registry.test/') }
const count = 300_000

async function* singleBytes(): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n++) yield Uint8Array.of(0x20)
}

describe('attack: a body that arrives byte by byte', () => {
  it('is read as any other', async () => {
    const response: HttpResponse = { status: 200, headers: {}, body: singleBytes(), remote: undefined, discard: () => undefined }
    expect(await readBody(response, request, count)).toHaveLength(count)
  })

  it('is read as any other blob', async () => {
    expect(await readAll(singleBytes(), count, 'the blob', () => undefined)).toHaveLength(count)
  })
})
