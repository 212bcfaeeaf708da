/** How long the signatures of one artifact may keep a verifier busy. */
import { CountersignError } from '@countersign/core/failure'

/** Milliseconds: two minutes. What one verification costs is bounded; hundreds of megabytes of worthless ones would still take long. */
const defaultTimeLimitMs = 120_000

/** Runs one verification after another until the time is over; gives `undefined` for those that come later. */
export type TimeLimit = {
  readonly within: <T>(verify: () => Promise<T>) => Promise<T | undefined>
  /** What was left out, as a reason why the outcome could not be told; nothing when all was verified. */
  readonly leftOut: () => readonly CountersignError[]
}

/** Starts the time. `limitMs`: milliseconds, default two minutes. */
export function startTimeLimit(limitMs: number = defaultTimeLimitMs): TimeLimit {
  const endMs = performance.now() + limitMs
  let late = 0
  return {
    within: async (verify) => {
      if (performance.now() < endMs) return verify()
      late++
      return undefined
    },
    leftOut: () => (late === 0 ? [] : [tooSlow(late)]),
  }
}

function tooSlow(late: number): CountersignError {
  return new CountersignError('limit_exceeded', `${late} signatures were not verified within the time for one artifact`, {
    hint: 'Remove signatures that nobody needs from the registry.',
  })
}
