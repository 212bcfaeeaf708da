import { describe, expect, it } from 'vitest'
import { fulcioService, type FulcioServiceParts } from '@countersign/server/ca/fulcio/service'
import { type Rekor1Options, rekor1Service } from '@countersign/server/log/rekor1/service'

// As much of each as decides before anything of a request is read.
const fulcio = fulcioService({ now: Date.now, issuers: { exact: new Map(), meta: [] }, maxInFlight: 0 } as unknown as FulcioServiceParts)
const rekor = rekor1Service({ maxInFlight: 0 } as unknown as Rekor1Options)

describe('attack: a flood that leaves no time for those who were let in', () => {
  it.each([
    [fulcio, '/fulcio/api/v2/signingCert', { code: 14 }],
    [fulcio, '/fulcio/api/v1/signingCert', { code: 14 }],
    [rekor, '/rekor/api/v1/log/entries', { code: 503 }],
  ])('of requests to %o is refused before they are read: %s', (service, path, body) => {
    const refusal = service.refuseAtOnce?.('POST', path)
    expect(refusal).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'content-type': 'application/json' } })
    expect(JSON.parse(refusal?.body ?? '')).toMatchObject(body)
  })

  it('keeps nobody from reading', () => {
    for (const [method, path] of [
      ['GET', '/rekor/api/v1/log/entries'],
      ['POST', '/rekor/api/v1/log/entries/retrieve'],
      ['GET', '/fulcio/api/v2/trustBundle'],
    ] as const)
      for (const service of [fulcio, rekor]) expect(service.refuseAtOnce?.(method, path)).toBeUndefined()
  })
})
