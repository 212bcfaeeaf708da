/** Blobs as objects of an S3 bucket, for many processes at once. Creation relies on conditional writes, which the store is asked to show first. */
import { createHash, randomBytes } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import { S3mini, S3ServiceError } from 's3mini'
import { hostOf, isLoopback } from '../http/address.ts'
import { checkBlobName, checkBlobPrefix, isBlobName } from './blob-name.ts'
import type { BlobStore } from './blob-store.ts'
import { boundedFetch } from './bounded-fetch.ts'
import { retried, type RetryLimits, s3Failure } from './s3-retry.ts'

/** Which bucket, and how it is reached. */
export type S3BlobOptions = {
  /** URL with the bucket as its path: `https://s3.eu-central-1.amazonaws.com/bucket`; or with the bucket in its host name. https, but on loopback. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Before every name, as `production/`; default none. */
  readonly prefix?: string
  /** Time for one request; default 15,000. */
  readonly requestMs?: number
  readonly retries?: RetryLimits
  /** Largest blob that is read; default 256 MiB. */
  readonly maxBlobBytes?: number
}

type Bucket = { readonly s3: S3mini; readonly prefix: string; readonly limits: RetryLimits }

const contentType = 'application/octet-stream'
// Names in the bucket which no blob can have: `~` is in none.
const probePrefix = '~probe/'
const pageSize = 1_000

/**
 * Opens a store in a bucket that exists. Throws `insecure_transport` for plain http off loopback, `blob_store_failed` when the bucket cannot be
 * written to or does not keep the second of two conditional writes out.
 */
export async function s3Blobs(options: S3BlobOptions): Promise<BlobStore> {
  const bucket = bucketOf(options)
  await probe(bucket)
  const { s3, prefix, limits } = bucket
  const checked = (name: string) => {
    checkBlobName(name)
    return prefix + name
  }
  return {
    put: async (name, bytes) => {
      const key = checked(name)
      await retried(`write ${name}`, limits, () => s3.putObject(key, bytes, contentType, undefined, checksum(bytes)))
    },
    create: async (name, bytes) => create(bucket, checked(name), bytes),
    get: async (name) => {
      const key = checked(name)
      const object = await retried(`read ${name}`, limits, () => read(s3, key))
      return object === undefined ? undefined : new Uint8Array(await object.arrayBuffer())
    },
    list: (begin) => {
      checkBlobPrefix(begin)
      return list(bucket, begin)
    },
    remove: async (name) => {
      const key = checked(name)
      await retried(`remove ${name}`, limits, () => s3.deleteObject(key))
    },
  }
}

function bucketOf(options: S3BlobOptions): Bucket {
  const { prefix = '', requestMs = 15_000, maxBlobBytes = 256 * 1024 * 1024 } = options
  const url = URL.parse(options.endpoint)
  if (url === null || url.username !== '' || url.search !== '' || !/^https?:$/.test(url.protocol)) {
    throw new CountersignError('usage', 'the endpoint of the bucket is no http(s) URL without user and query')
  }
  if (url.protocol === 'http:' && !isLoopback(hostOf(url))) {
    throw new CountersignError('insecure_transport', `${url.host} is reached without TLS`, { expected: 'https', found: 'http' })
  }
  if (prefix !== '') checkBlobName(`${prefix}x`)
  const s3 = new S3mini({
    endpoint: url.href,
    region: options.region,
    accessKeyId: options.accessKeyId,
    secretAccessKey: options.secretAccessKey,
    requestAbortTimeout: requestMs,
    fetch: boundedFetch(maxBlobBytes),
  })
  return { s3, prefix, limits: options.retries ?? {} }
}

/** A store that ignores the condition would let two creators win; better not to start. */
async function probe(bucket: Bucket): Promise<void> {
  const key = `${bucket.prefix}${probePrefix}${randomBytes(12).toString('hex')}`
  const first = await create(bucket, key, new Uint8Array())
  const second = await create(bucket, key, new Uint8Array())
  await retried('remove the probe', bucket.limits, () => bucket.s3.deleteObject(key))
  if (first && !second) return
  throw new CountersignError('blob_store_failed', 'the bucket does not honour "If-None-Match: *"', {
    hint: 'Use a store with conditional writes; S3 has them since 2024.',
  })
}

/**
 * Writes only where nothing is. When an answer was lost the object may have been written by this very call: the mark that it carries tells its
 * writer from another.
 */
async function create({ s3, limits }: Bucket, key: string, bytes: Uint8Array): Promise<boolean> {
  const mark = randomBytes(16).toString('hex')
  const headers: Record<string, string> = { ...checksum(bytes), 'if-none-match': '*', 'x-amz-meta-writer': mark }
  return retried(`create ${key}`, limits, async (attempt) => {
    try {
      await s3.putObject(key, bytes, contentType, undefined, headers)
      return true
    } catch (thrown) {
      if (!(thrown instanceof S3ServiceError) || thrown.status !== 412) throw thrown
      if (attempt === 1) return false
      const object = await read(s3, key)
      await object?.body?.cancel()
      return object?.headers.get('x-amz-meta-writer') === mark
    }
  })
}

/** The object, or `undefined` when the bucket has none of this name; that there is no bucket is a failure. */
async function read(s3: S3mini, key: string): Promise<Response | undefined> {
  try {
    return await s3.getObjectRaw(key)
  } catch (thrown) {
    if (thrown instanceof S3ServiceError && thrown.status === 404 && (thrown.body ?? '').includes('<Code>NoSuchKey</Code>'))
      return undefined
    throw thrown
  }
}

async function* list({ s3, prefix, limits }: Bucket, begin: string): AsyncGenerator<string> {
  let token: string | undefined
  do {
    const after = token
    const page = await retried(`list ${begin}`, limits, () => s3.listObjectsPaged('/', prefix + begin, pageSize, after))
    if (!page) throw s3Failure(`list ${begin}`, new CountersignError('blob_store_failed', 'there is no such bucket'))
    for (const { Key } of page.objects ?? []) {
      const name = Key.slice(prefix.length)
      // What others keep in the bucket under no name of ours is none of ours.
      if (Key.startsWith(prefix + begin) && isBlobName(name)) yield name
    }
    if (page.nextContinuationToken !== undefined && page.nextContinuationToken === after) {
      throw new CountersignError('blob_store_failed', `the list of ${begin} does not come to an end`)
    }
    token = page.nextContinuationToken
  } while (token !== undefined)
}

/** The signature covers this header, and this header the bytes, which the signature alone does not. */
function checksum(bytes: Uint8Array): { 'x-amz-checksum-sha256': string } {
  return { 'x-amz-checksum-sha256': createHash('sha256').update(bytes).digest('base64') }
}
