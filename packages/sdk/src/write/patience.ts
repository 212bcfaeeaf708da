/**
 * Trying again where a registry answers nonsense while another writer is busy with the same content.
 *
 * Seen on docker-registry 2.8.3 with files as storage: links are truncated before they are written again, so that a reader in between gets
 * HTTP 500 or 404, and a manifest is refused for a blob that was confirmed a moment ago (`MANIFEST_BLOB_UNKNOWN`). The HTTP client's own
 * retries do not help with the latter: the blobs must be put again before the manifest is. Every step here may be repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { CountersignError, type FailureCode } from '@countersign/core/failure'

/** Waits before the n-th repetition; random, so that writers get out of step. */
export type Pause = (round: number) => Promise<void>

/** Random, twice as long each time on average, half a second at most. */
export async function randomPause(round: number): Promise<void> {
  await sleep(Math.random() * Math.min(500, 15 * 2 ** Math.min(round, 6)))
}

const attempts = 7

/** Failures that may be another writer's doing. A plain refusal looks the same as one of these, and costs a second before it is reported. */
const passing: ReadonlySet<FailureCode> = new Set(['registry_failed', 'registry_response_malformed', 'write_rejected', 'content_altered'])

/** True for a failure that may be another writer's doing. */
export function isPassing(failure: CountersignError): boolean {
  return passing.has(failure.code)
}

/** Runs a repeatable step, which is told the number of the attempt from 1, until it succeeds, a failure is final, or seven are used up. */
export async function patiently<T>(step: (attempt: number) => Promise<T>, pause: Pause = randomPause): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step(attempt)
    } catch (cause) {
      if (!(cause instanceof CountersignError) || !isPassing(cause) || attempt === attempts) throw cause
      await pause(attempt)
    }
  }
}
