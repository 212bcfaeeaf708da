/** What one verification has proven so far. A refusal lists it too, so that a person sees how far the signature came. */
import { CountersignError, type FailureCode } from '../failure.ts'
import type { Check, CheckName, Refusal, Waiver } from './evidence.ts'

/** Collects checks in the order in which they held, and the checks that were waived by name. */
export type Ledger = {
  readonly checks: readonly Check[]
  readonly waivers: readonly Waiver[]
  /** Records a check that ran and held. */
  readonly held: (check: CheckName, detail: string) => void
  /** Records a check that was skipped by a named choice of the caller. */
  readonly waived: (check: CheckName, reason: string) => void
}

/** An empty ledger. */
export function openLedger(): Ledger {
  const checks: Check[] = []
  const waivers: Waiver[] = []
  return {
    checks,
    waivers,
    held: (check, detail) => void checks.push({ check, detail: legible(detail) }),
    waived: (check, reason) => void waivers.push({ check, reason }),
  }
}

/** A failure as a value, with the checks that had held before it. */
export function refusalOf(failure: CountersignError, checks: readonly Check[]): Refusal {
  return {
    ok: false,
    code: failure.code,
    detail: legible(failure.message),
    ...(failure.expected === undefined ? {} : { expected: legible(failure.expected) }),
    ...(failure.found === undefined ? {} : { found: legible(failure.found) }),
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    checks,
  }
}

/**
 * Runs a parser over a part of the thing verified; its failure becomes one of this verification's own codes, with the parser's as cause.
 * `code` says what it means here that this part does not parse.
 */
export function readingPart<T>(code: FailureCode, part: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code === 'internal') throw cause
    throw new CountersignError(code, `${part}: ${cause.message}`, {
      ...(cause.expected === undefined ? {} : { expected: cause.expected }),
      ...(cause.found === undefined ? {} : { found: cause.found }),
      cause,
    })
  }
}

/** Longest text that a report repeats from what it verified, characters. */
const maxShown = 1024

/**
 * Hostile: names and types in a bundle end up on terminals and in logs. Control characters (escape sequences, line breaks) and those that
 * turn the direction of text are written as escapes, and long texts are cut.
 */
function legible(text: string): string {
  const cut = text.length > maxShown ? `${text.slice(0, maxShown).toWellFormed()}…` : text
  return cut.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
