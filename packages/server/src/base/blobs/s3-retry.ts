/** Asking an object store again, where asking twice does no harm. */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError } from '@countersign/core/failure'
import { S3ServiceError } from 's3mini'

/** How often and how patiently. */
export type RetryLimits = {
  /** Attempts in all; default 4. */
  readonly attempts?: number
  /** Before the second attempt at most; twice that before each further one; default 100. */
  readonly pauseMs?: number
}

/** Runs `work` again after failures that pass. `attempt` counts from 1. Throws `blob_store_failed`. */
export async function retried<T>(what: string, limits: RetryLimits, work: (attempt: number) => Promise<T>): Promise<T> {
  const { attempts = 4, pauseMs = 100 } = limits
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (thrown) {
      if (attempt >= attempts || !isPassing(thrown)) throw s3Failure(what, thrown)
      // Random, so that many that failed together do not come back together.
      await sleep(pauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2))
    }
  }
}

/** Throttled, overloaded, in conflict with another conditional write, or not answered at all. A refusal stays one. */
function isPassing(thrown: unknown): boolean {
  if (thrown instanceof CountersignError) return false
  return !(thrown instanceof S3ServiceError) || [409, 429, 500, 502, 503, 504].includes(thrown.status)
}

/** What the store answered, without what it was asked: requests carry the signature. */
export function s3Failure(what: string, thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError && thrown.code === 'blob_store_failed') return thrown
  if (!(thrown instanceof S3ServiceError)) {
    const reason = thrown instanceof Error ? thrown.message : 'unknown'
    return new CountersignError('blob_store_failed', `cannot ${what}: ${reason}`, {
      cause: thrown,
      hint: 'See that the store can be reached.',
    })
  }
  const code = /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(thrown.body?.slice(0, 4_096) ?? '')?.[1] ?? 'no code'
  const hint = thrown.status === 403 ? 'Give the access key the rights to read, write, list and delete objects.' : undefined
  const detail = `cannot ${what}: the store answers ${thrown.status} (${code})`
  return new CountersignError('blob_store_failed', detail, hint === undefined ? { cause: thrown } : { cause: thrown, hint })
}
