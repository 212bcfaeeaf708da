/** `.env` files as Compose reads them. */
import { expand } from './variables.ts'

const maxLines = 10_000

/** Reads `NAME=VALUE` lines; values may be quoted, and name variables of earlier lines or of `environment`. Lines that say nothing are passed over. */
export function readEnvironmentFile(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  for (const line of text.split(/\r?\n/, maxLines)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s?(.*)$/.exec(line)
    if (match === null) continue
    const [, name = '', written = ''] = match
    const { value, literal } = unquote(written.trim())
    const expanded = literal ? value : expand(value, { kind: 'compose' }, (other) => environment[other] ?? variables.get(other)).text
    if (expanded !== undefined) variables.set(name, expanded)
  }
  return variables
}

function unquote(written: string): { readonly value: string; readonly literal: boolean } {
  const quote = written[0]
  if (quote === '"' || quote === "'") {
    const end = written.indexOf(quote, 1)
    if (end !== -1) return { value: written.slice(1, end), literal: quote === "'" }
  }
  const comment = written.search(/\s#/)
  return { value: (comment === -1 ? written : written.slice(0, comment)).trim(), literal: false }
}
