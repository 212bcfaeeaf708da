/** Next steps for failures that carry none, where the usual one would send people to the wrong document. */
import { CountersignError } from '@countersign/core/failure'

/** Does the work; a failure without a hint gets this one. */
export async function hinted<T>(hint: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.hint !== undefined) throw cause
    const { code, message, expected, found } = cause
    throw new CountersignError(code, message, {
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      hint,
      cause: cause.cause,
    })
  }
}
