/**
 * Everything that a verification says, as text: what a refusal tells people is part of what it does, and so is what evidence lists.
 * Tests compare it with a recorded file, so that no word of it changes unnoticed. Values that are fresh in each run have placeholders.
 */
import type { Verification } from '../src/verify/evidence.ts'

const fresh: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{40,}/g, '<hex>'],
  [/[A-Za-z0-9+/]{40,}={0,2}/g, '<base64>'],
  [/… \(\d+ bytes\)/g, '… (its length)'],
]

/** Any value as indented lines, bytes by their number; a member that is there without a value is told, since absent ones shall be absent. */
export function told(value: unknown): string {
  const text = JSON.stringify(value, (_name, inner: unknown) => shown(inner), 1)
  const named = fresh.reduce((rest, [pattern, name]) => rest.replaceAll(pattern, name), text)
  return named.replaceAll(/^\s*[{}[\]],?\n/gm, '').replaceAll(/\\?"/g, '')
}

function shown(value: unknown): unknown {
  if (value === undefined) return '<undefined>'
  return value instanceof Uint8Array ? `<${value.length} bytes>` : value
}

/** What a verification says: all of a refusal, and of evidence all but the payload. */
export function toldOf(result: Verification): string {
  if (!result.ok) return told(result)
  const { content, ...rest } = result.evidence
  const { kind } = content
  return told({ ...rest, content: { ...content, ...(kind === 'message' ? {} : { payload: '<payload>' }) } })
}
