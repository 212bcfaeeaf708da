/** The error document of the distribution-spec ("Error Codes"), as one line for a message. */
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { peekBody } from '../http/body.ts'
import { printable } from '../http/redact.ts'
import type { Answer } from './endpoint.ts'

const maxBytes = 16 * 1024

/** `CODE: message` of the first errors of an answer, printable and short; empty when the body is no error document. Ends the body. */
export async function errorText({ response }: Answer): Promise<string> {
  const body = await peekBody(response, maxBytes)
  let value: unknown
  try {
    value = parseJson(body)
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return ''
  }
  const errors = (value as { readonly errors?: unknown } | null)?.errors
  if (!Array.isArray(errors)) return ''
  return errors
    .slice(0, 3)
    .map(describe)
    .filter((text) => text !== '')
    .join('; ')
}

function describe(error: unknown): string {
  const { code, message } = (typeof error === 'object' && error !== null ? error : {}) as Readonly<Record<string, unknown>>
  return [code, message]
    .filter((part) => typeof part === 'string' && part !== '')
    .map((part) => printable(part as string))
    .join(': ')
}
