/** A failure in words: one line that says what failed, what was expected and found; one line that says what to do next. */
import { CountersignError, type FailureCode, isFailureCode } from '@countersign/core/failure'
import { systemCode } from '@countersign/sdk/file-failure'
import { nextStep } from './next-step.ts'

/** What a message is made of; errors and refusals both have it. */
export type FailureText = {
  readonly code: FailureCode
  readonly detail: string
  readonly expected?: string | undefined
  readonly found?: string | undefined
  readonly hint?: string | undefined
}

/** Anything thrown, as a failure of ours: a code and a text for people. Errors of Node become `file_not_found` or `io_failed`. */
export function asFailure(thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError || isFailureOfServices(thrown)) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const system = systemCode(thrown)
  const code = system === undefined ? 'internal' : system === 'ENOENT' ? 'file_not_found' : 'io_failed'
  return new CountersignError(code, text, { cause: thrown })
}

/** The services are a package beside the bundled command, with a class of their own for the same failures. */
function isFailureOfServices(thrown: unknown): thrown is CountersignError {
  return (
    thrown instanceof Error &&
    thrown.name === 'CountersignError' &&
    'code' in thrown &&
    typeof thrown.code === 'string' &&
    isFailureCode(thrown.code)
  )
}

/** An error as the parts of a message. */
export function failureText(error: CountersignError): FailureText {
  return { code: error.code, detail: error.message, expected: error.expected, found: error.found, hint: error.hint }
}

/** `what failed: expected X, found Y`, on one line, without control characters: the text may come from a registry. */
export function failureLine(failure: FailureText): string {
  const parts: string[] = []
  if (failure.expected !== undefined) parts.push(`expected ${failure.expected}`)
  if (failure.found !== undefined) parts.push(`found ${failure.found}`)
  return printable(parts.length === 0 ? failure.detail : `${failure.detail}: ${parts.join(', ')}`)
}

/** What to do next: the failure's own hint, or the general one of its code. */
export function hintLine(failure: FailureText): string {
  return printable(failure.hint ?? nextStep(failure.code))
}

/** The two lines, ready for stderr; `subject` names which of several images or files failed. */
export function failureMessage(failure: FailureText, subject?: string): string {
  const prefix = subject === undefined || failure.detail.includes(subject) ? '' : `${printable(subject)}: `
  return `countersign: ${prefix}${failureLine(failure)}\n  ${hintLine(failure)}\n`
}

/** The chain of causes under an error, one indented line each; for `--verbose`. */
export function causeChain(error: unknown): string {
  let text = ''
  let cause = error instanceof Error ? error.cause : undefined
  for (let depth = 0; cause !== undefined && cause !== null && depth < 8; depth++) {
    const line =
      cause instanceof CountersignError
        ? `${cause.code}: ${failureLine(failureText(cause))}`
        : cause instanceof Error
          ? `${cause.name}: ${cause.message}`
          : 'something that is no error'
    text += `  caused by ${printable(line)}\n`
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return text
}

/**
 * Text from outside on one line of a terminal: control characters would move the cursor or forge lines, and what is not seen (Unicode's format
 * characters: marks of direction, joiners, soft hyphens, tags) would make two names look like one.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
}
