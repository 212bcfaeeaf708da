/**
 * What a signer bound a signature to beyond the digest: until when it holds, and under which name. cosign has no such thing, and leaves room
 * for it: the predicate of its signature statement is empty, and `optional` of its legacy payload is free. Both are signed.
 */
import { CountersignError, type FailureCode } from '../failure.ts'
import { nonEmptyText, optional, type Place, refuse, rootPlace } from '../json/shape.ts'
import { isSignatureStatement, predicateValue } from '../statement/statement.ts'
import { formatTime, parseTime } from '../trust/time-range.ts'
import type { ReadContent } from './content.ts'
import type { Ledger } from './ledger.ts'
import { timeText } from './time.ts'

/** The members of predicate and `optional` that carry them. */
export const termNames = { expires: 'countersign.dev/expires', name: 'countersign.dev/name' } as const

/** The terms of one signature. */
export type SignedTerms = {
  /** Unix milliseconds; from then on the signature does not hold. */
  readonly expiresMs?: number
  /** `registry/repository` that the image was signed for. */
  readonly name?: string
}

/** The terms as members of a JSON object whose values are texts. */
export function termMembers({ expiresMs, name }: SignedTerms): Readonly<Record<string, string>> {
  return {
    ...(expiresMs === undefined ? {} : { [termNames.expires]: formatTime(expiresMs) }),
    ...(name === undefined ? {} : { [termNames.name]: name }),
  }
}

/**
 * Reads the terms of a signature; `undefined` when it has none. An attestation has none: its predicate belongs to others. What stands in their
 * place and cannot be read refuses (`statement_malformed`, `bundle_malformed`): to pass over it would make it last for ever.
 */
export function readTerms(content: ReadContent): SignedTerms | undefined {
  const read = readerOf(content)
  const expiresMs = read && optional(read(termNames.expires), readTime)
  const name = read && optional(read(termNames.name), nonEmptyText)
  if (expiresMs === undefined && name === undefined) return undefined
  return { ...(expiresMs === undefined ? {} : { expiresMs }), ...(name === undefined ? {} : { name }) }
}

function readerOf(content: ReadContent): ((name: string) => Place) | undefined {
  if (content.kind === 'message') return undefined
  if (content.kind === 'simple-signing') return membersOf(content.payload.optional, 'bundle_malformed', '$.optional')
  const { statement } = content
  // An empty predicate, as cosign writes it, is not parsed.
  if (!isSignatureStatement(statement) || (statement.predicateBytes?.length ?? 0) <= 2) return undefined
  return membersOf(predicateValue(statement), 'statement_malformed', '$.predicate')
}

/** Members of an object; of anything else there are none. */
function membersOf(value: Place['value'], code: FailureCode, path: string): (name: string) => Place {
  return (name) => {
    const object = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly [name: string]: never }) : {}
    return rootPlace(Object.hasOwn(object, name) ? object[name] : undefined, code, `${path}[${JSON.stringify(name)}]`)
  }
}

function readTime(at: Place): number {
  const text = nonEmptyText(at)
  return parseTime(text) ?? refuse(at, 'not a time', { expected: 'RFC 3339, as in 2026-01-31T12:00:00Z', found: text.slice(0, 40) })
}

/** Refuses with `signature_expired` from the moment that the signer named on, by the verifier's clock. */
export function demandUnexpired(terms: SignedTerms | undefined, nowMs: number, ledger: Ledger): void {
  if (terms?.expiresMs === undefined) return
  if (terms.expiresMs > nowMs) return ledger.held('expiry', `the signature holds until ${timeText(terms.expiresMs)}`)
  throw new CountersignError(
    'signature_expired',
    `the signature expired ${timeText(terms.expiresMs)}, as its signer said when it was made`,
    {
      expected: `a signature that holds ${timeText(nowMs)}`,
      found: `one that held until ${timeText(terms.expiresMs)}`,
    },
  )
}
