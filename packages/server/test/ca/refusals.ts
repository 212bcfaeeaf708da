/** What tests ask of refusals. */
import { CountersignError, type FailureCode } from '@countersign/core/failure'

/** The code with which a call refuses; `undefined` when it does not. Anything but a CountersignError is thrown on. */
export function refusal(call: () => unknown): FailureCode | undefined {
  try {
    call()
    return undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return cause.code
    throw cause
  }
}

/** The same for a promise. */
export async function rejection(promise: Promise<unknown>): Promise<FailureCode | undefined> {
  try {
    await promise
    return undefined
  } catch (cause) {
    if (cause instanceof CountersignError) return cause.code
    throw cause
  }
}
