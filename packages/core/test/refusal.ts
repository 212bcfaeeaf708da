/** What tests ask of a refusal. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'

/** The code with which a call refuses; `undefined` when it does not. Anything but a CountersignError is thrown on: it is a defect. */
export function refusal(call: () => unknown): FailureCode | undefined {
  return failureOf(call)?.code
}

/** The failure of a call; `undefined` when there is none. */
export function failureOf(call: () => unknown): CountersignError | undefined {
  try {
    call()
    return undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return cause
    throw cause
  }
}
