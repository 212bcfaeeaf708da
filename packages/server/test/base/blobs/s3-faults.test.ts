import { utf8 } from '@countersign/core/bytes'
import { s3Blobs, type S3BlobOptions } from '@countersign/server/base/blobs/s3-blobs'
import { startTestS3, type TestS3, type TestS3Options } from '@countersign/testkit/s3/server'
import { afterEach, describe, expect, it } from 'vitest'

let store: TestS3
afterEach(() => store.stop())

const quick = { pauseMs: 5 }

async function start(options: TestS3Options = {}) {
  store = await startTestS3(options)
  return optionsFor(store)
}

function optionsFor({ endpoint, credentials: { accessKeyId, secretAccessKey, region } }: TestS3): S3BlobOptions {
  return { endpoint, region, accessKeyId, secretAccessKey, retries: quick, requestMs: 2_000 }
}

function count(method: string, path: RegExp): number {
  return store.log.filter((entry) => entry.method === method && path.test(entry.path)).length
}

describe('blobs in S3, when the store fails', () => {
  it('asks again after what passes, and gives up after four attempts', async () => {
    const blobs = await s3Blobs(await start())
    store.fault({ match: { method: 'PUT', path: /once/ }, times: 2, action: { kind: 'status', status: 503 } })
    await blobs.put('once', utf8('x'))
    expect(await blobs.get('once')).toEqual(utf8('x'))
    store.fault({ match: { method: 'PUT', path: /never/ }, action: { kind: 'status', status: 503 } })
    await expect(blobs.put('never', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    expect(count('PUT', /never/)).toBe(4)
    store.fault({ match: { method: 'PUT', path: /reset/ }, times: 1, action: { kind: 'reset' } })
    await blobs.put('reset', utf8('x'))
    store.fault({ match: { method: 'PUT', path: /denied/ }, action: { kind: 'status', status: 403 } })
    await expect(blobs.put('denied', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    expect(count('PUT', /denied/)).toBe(1)
  })

  it.each(['status_after', 'reset_after'] as const)('knows that it created a blob though the answer was lost (%s)', async (kind) => {
    const blobs = await s3Blobs(await start())
    const action = kind === 'reset_after' ? { kind } : { kind, status: 500 }
    store.fault({ match: { method: 'PUT', path: /mine/ }, times: 1, action })
    expect(await blobs.create('mine', utf8('x'))).toBe(true)
    expect(count('PUT', /mine/)).toBe(2)
    expect(await blobs.create('mine', utf8('y'))).toBe(false)
  })

  it('does not take the blob of another creator for its own after a failure', async () => {
    const options = await start()
    const [first, second] = [await s3Blobs(options), await s3Blobs(options)]
    await first.create('theirs', utf8('same bytes'))
    store.fault({ match: { method: 'PUT', path: /theirs/ }, times: 1, action: { kind: 'status', status: 500 } })
    expect(await second.create('theirs', utf8('same bytes'))).toBe(false)
  })

  it('never reads a failure as "no such blob"', async () => {
    const blobs = await s3Blobs(await start())
    await blobs.put('there', utf8('x'))
    for (const status of [403, 404, 500, 503]) {
      store.fault({ match: { method: 'GET', path: /there/ }, times: 4, action: { kind: 'status', status } })
      await expect(blobs.get('there')).rejects.toMatchObject({ code: 'blob_store_failed' })
      store.fault({ match: { method: 'GET', path: /list-type/ }, times: 4, action: { kind: 'status', status } })
      await expect(blobs.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'blob_store_failed' })
    }
  })

  it('never gives a part of a blob, nor more than it may hold in memory', async () => {
    const options = await start()
    const blobs = await s3Blobs({ ...options, maxBlobBytes: 50_000 })
    await blobs.put('long', new Uint8Array(40_000))
    store.fault({ match: { method: 'GET', path: /long/ }, times: 1, action: { kind: 'truncate', afterBytes: 10_000 } })
    expect((await blobs.get('long'))?.length).toBe(40_000)
    expect(count('GET', /long/)).toBe(2)
    await blobs.put('longer', new Uint8Array(60_000))
    await expect(blobs.get('longer')).rejects.toMatchObject({ code: 'blob_store_failed' })
  })

  it('ends a request that nobody answers', async () => {
    const options = await start()
    const blobs = await s3Blobs({ ...options, requestMs: 1_000, retries: { attempts: 2, pauseMs: 1 } })
    store.fault({ match: { method: 'PUT', path: /slow/ }, action: { kind: 'delay', ms: 5_000 } })
    await expect(blobs.put('slow', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
  })
})

describe('a bucket that cannot be used', () => {
  it('is refused when it ignores conditions: two creators would both win', async () => {
    const options = await start({ ignoresConditions: true })
    await expect(s3Blobs(options)).rejects.toMatchObject({ code: 'blob_store_failed', message: expect.stringContaining('If-None-Match') })
  })

  it('is refused with a wrong key, a wrong region or a bucket that is not there, without the secret in the message', async () => {
    const options = await start()
    for (const change of [
      { secretAccessKey: 'wrong' },
      { accessKeyId: 'OTHER' },
      { region: 'elsewhere' },
      { endpoint: options.endpoint.replace('/bucket', '/other') },
    ]) {
      const failure = await s3Blobs({ ...options, ...change }).catch((thrown: unknown) => thrown)
      expect(failure).toMatchObject({ code: 'blob_store_failed' })
      expect(JSON.stringify([failure, String(failure), (failure as Error).stack])).not.toMatch(/secret\+key|wrong"/)
    }
  })

  it('is reached over TLS but on loopback', async () => {
    const options = await start()
    for (const endpoint of ['http://s3.example.com/bucket', 'http://127.0.0.1.example.com/bucket', 'http://10.0.0.1/bucket']) {
      await expect(s3Blobs({ ...options, endpoint })).rejects.toMatchObject({ code: 'insecure_transport' })
    }
    await expect(s3Blobs({ ...options, endpoint: 'ftp://localhost/bucket' })).rejects.toMatchObject({ code: 'usage' })
    await expect(s3Blobs({ ...options, endpoint: 'https://user:password@localhost/bucket' })).rejects.toMatchObject({ code: 'usage' })
  })

  it('is not left for where a redirect points', async () => {
    const options = await start()
    const blobs = await s3Blobs(options)
    const elsewhere = await startTestS3()
    const location = `${elsewhere.endpoint}/moved`
    store.fault({ match: { path: /moved/ }, action: { kind: 'status', status: 307, headers: { location } } })
    await expect(blobs.get('moved')).rejects.toMatchObject({ code: 'blob_store_failed' })
    await expect(blobs.put('moved', utf8('x'))).rejects.toMatchObject({ code: 'blob_store_failed' })
    expect(elsewhere.log).toEqual([])
    await elsewhere.stop()
  })
})
