/** Names the file in what is wrong with its content: a parser knows only bytes. */
import { CountersignError, outcomeOf } from '@countersign/core/failure'

/**
 * Runs `work` on the content of `file`; a failure of it comes out with the name in front, unless the name is in it already, is what is wrong
 * itself, or is a URL with a password in it.
 */
export async function inFile<Result>(file: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.message.includes(file)) throw thrown
    if (outcomeOf(thrown.code) === 'usage' || /:\/\/[^/]*@/.test(file)) throw thrown
    const { code, message, expected, found, hint } = thrown
    throw new CountersignError(code, `${file}: ${message}`, {
      cause: thrown,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      ...(hint === undefined ? {} : { hint }),
    })
  }
}
