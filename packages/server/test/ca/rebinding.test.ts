import type * as dns from 'node:dns'
import { describe, expect, it, vi } from 'vitest'
import { documentFetcher } from '../../src/ca/tokens/documents.ts'

const answers: dns.LookupAddress[] = []
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof dns>()),
  lookup: (_name: string, _options: unknown, callback: (error: null, addresses: readonly dns.LookupAddress[]) => void) =>
    callback(null, answers),
}))

describe('attack: a name from outside that leads to an address of this network', () => {
  it.each([
    ['alone', ['127.0.0.1']],
    ['beside a public one', ['8.8.8.8', '10.0.0.1']],
    ['before a public one', ['::1', '8.8.8.8']],
    ['or nowhere', []],
  ])('%s is not connected to', async (_, addresses) => {
    answers.splice(0, answers.length, ...addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
    const fetcher = documentFetcher()
    const failure: unknown = await fetcher.fetch({ url: 'https://keys.example.org/', addresses: 'public' }).catch((cause: unknown) => cause)
    expect(failure).toMatchObject({
      code: 'identity_issuer_unavailable',
      cause: { code: 'identity_issuer_unavailable', message: 'a name has an address that is not a public one' },
    })
    await fetcher.close()
  })
})
