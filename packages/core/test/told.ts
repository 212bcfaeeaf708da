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

/** So long may a line be before what is in it gets lines of its own. */
const lineLength = 140

/** Any value as text, bytes by their number; a member that is there without a value is told, since absent ones shall be absent. */
export function told(value: unknown): string {
  return linesOf(value, lineLength).join('\n')
}

/** A value on one line where it fits, else its parts on as few lines as hold them. */
function linesOf(value: unknown, length: number): readonly string[] {
  const flat = onOneLine(value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || flat.length <= length) return [flat]
  const lines: string[] = []
  for (const [name, part] of Object.entries(value)) {
    const label = Array.isArray(value) ? '' : `${name}: `
    const text = `${label}${onOneLine(part)}`
    const last = lines.at(-1)
    if (text.length > length && typeof part === 'object')
      lines.push(label === '' ? '-' : label.trim(), ...linesOf(part, length - 1).map((line) => ` ${line}`))
    else if (last === undefined || last.startsWith(' ') || last.length + text.length > length) lines.push(text)
    else lines.splice(-1, 1, `${last}, ${text}`)
  }
  return lines
}

function onOneLine(value: unknown): string {
  if (value === undefined) return '<undefined>'
  if (value instanceof Uint8Array) return `<${value.length} bytes>`
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`
  if (typeof value !== 'object' || value === null)
    return fresh.reduce((text, [pattern, name]) => text.replaceAll(pattern, name), String(value as string | number | boolean | null))
  return `{${Object.entries(value)
    .map(([name, member]) => `${onOneLine(name)}: ${onOneLine(member)}`)
    .join(', ')}}`
}

/** What a verification says: all of a refusal, and of evidence all that is not empty, but the payload. */
export function toldOf(result: Verification): string {
  if (!result.ok) return told({ ...result, checks: result.checks.map(checkTold) })
  const { content, ...rest } = result.evidence
  const shown = { ...content, ...(content.kind === 'message' ? {} : { payload: '<payload>' }) }
  const members = Object.entries({ ...rest, checks: rest.checks.map(checkTold), content: shown })
  return told(Object.fromEntries(members.filter(([, member]) => onOneLine(member) !== '[]' && onOneLine(member) !== '{}')))
}

function checkTold({ check, detail }: { readonly check: string; readonly detail: string }): string {
  return `${check}: ${detail}`
}
