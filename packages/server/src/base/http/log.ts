/** Structured logs: one JSON object a line, or a line for people. Nobody logs a token, a body, a query string or a secret. */
import type { FastifyBaseLogger } from 'fastify'
import { CountersignError } from '@countersign/core/failure'

/** Where rooms say what happens. The fields come first, then a short text that is always the same for the same event. */
export type Log = Pick<FastifyBaseLogger, 'debug' | 'info' | 'warn' | 'error'>

/** From everything to what somebody must look at. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Where lines go, and in which form. */
export type LogTarget = { readonly level: LogLevel; readonly format: 'json' | 'text'; readonly write: (line: string) => void }

/** The logger's settings for Fastify. */
export function loggerOptions(target: LogTarget): object {
  return {
    level: target.level,
    base: undefined,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (level: string) => ({ level }) },
    serializers: { err: failureFields, req: () => undefined, res: () => undefined },
    stream: { write: target.format === 'json' ? target.write : (line: string) => target.write(readable(line)) },
  }
}

/** What is logged of a failure: its code and text; the stack only of what nobody foresaw. */
export function failureFields(failure: unknown): object {
  if (!(failure instanceof Error)) return { message: 'something that is no error was thrown' }
  const cause = failure.cause === undefined ? {} : { cause: failureFields(failure.cause) }
  if (failure instanceof CountersignError) return { code: failure.code, message: failure.message, ...cause }
  const code = 'code' in failure && typeof failure.code === 'string' ? { code: failure.code } : {}
  return { name: failure.name, ...code, message: failure.message, stack: failure.stack, ...cause }
}

/** What JSON leaves as it is, and terminals obey: C1 controls, line separators, and what turns the direction of text around. */
const obeyed = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** `14:05:07 warn  text  field=value`; control characters, which may come from a request or from another service, are escaped. */
function readable(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const failure = typeof err === 'object' && err !== null && 'message' in err ? { failure: err.message } : {}
  const shown = Object.entries({ ...fields, ...failure }).map(
    ([name, value]) => `  ${name}=${typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)}`,
  )
  const text = `${String(time).slice(11, 19)} ${String(level).padEnd(5)} ${JSON.stringify(msg).slice(1, -1)}${shown.join('')}\n`
  return text.replace(obeyed, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
