/** Answers of identity providers: JSON objects, of which some members are wanted. */
import { parseJsonAs } from '@countersign/core/json/parse'
import { documentPlace, isAbsent, nonEmptyText, openMembers, type Members } from '@countersign/core/json/shape'
import type { ServiceAnswer } from '../services/exchange.ts'

/** The members of an answer. Throws `service_response_malformed`. */
export function answerMembers({ body }: ServiceAnswer): Members {
  const code = 'service_response_malformed'
  return openMembers(documentPlace(parseJsonAs(code, 'the answer of the identity provider', body).value, code))
}

/** A text that may be absent. */
export function optionalText(field: Members, name: string): string | undefined {
  return isAbsent(field(name)) ? undefined : nonEmptyText(field(name))
}
