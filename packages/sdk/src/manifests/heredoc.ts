/** Which here-documents an instruction opens, by BuildKit's rules (frontend/dockerfile/parser, `heredocsFromLine`). */
import type { Instruction } from './dockerfile-lines.ts'
import { skipFlags } from './dockerfile-words.ts'
import { malformedAt, type ManifestText } from './text-place.ts'

/** A here-document: its last line, whether tabs before that are dropped, and where it is opened. */
export type Heredoc = { readonly name: string; readonly tabs: boolean; readonly offset: number }

/** In order. Throws `file_malformed` for what builders may read in another way than this does. */
export function heredocNames(source: ManifestText, { keyword, rest, offsetOf }: Instruction): readonly Heredoc[] {
  const inner = keyword === 'onbuild' ? /^(\S+)\s+/.exec(rest) : undefined
  const verb = inner === undefined ? keyword : (inner?.[1] ?? '').toLowerCase()
  if (!rest.includes('<<') || !['run', 'copy', 'add'].includes(verb)) return []
  const body = rest.slice(inner?.[0].length ?? 0)
  const form = body.slice(skipFlags(body))
  // In its JSON form an instruction opens none.
  if (isJsonForm(form)) return []
  const words = shellWords(rest)
  if (words === undefined) return []
  const found: Heredoc[] = []
  for (const { text, at } of words) {
    const match = /^\d*<<(-?)([^<]+)$/.exec(text)
    if (match === null) continue
    const [, dash = '', written = ''] = match
    const name = written.replaceAll(/["']/g, '').replaceAll(/\\(.)/g, '$1')
    // With a substitution in the line the builder may see other words, or none; of JSON it reads the beginning, and what follows is nothing.
    if (form.startsWith('[') || name === '' || name.includes('$') || /\$\{(?![A-Za-z_][A-Za-z0-9_]*\})/.test(rest))
      throw malformedAt(
        source,
        offsetOf(at),
        'builders may not agree about this here-document',
        'Write its name as a plain word, and no ${…} beside it.',
      )
    found.push({ name, tabs: dash === '-', offset: offsetOf(at) })
  }
  return found
}

function isJsonForm(text: string): boolean {
  if (!text.startsWith('[')) return false
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.every((item) => typeof item === 'string')
  } catch (cause) {
    if (cause instanceof SyntaxError) return false
    throw cause
  }
}

/** Words with their quotes and escapes; `undefined` when a quote does not end, of which the builder then reads none. */
function shellWords(text: string): readonly { readonly text: string; readonly at: number }[] | undefined {
  const words: { text: string; at: number }[] = []
  let start = -1
  let quote = ''
  for (let at = 0; at <= text.length; at++) {
    const character = text[at]
    if (character === undefined || (quote === '' && /\s/.test(character))) {
      if (start !== -1) words.push({ text: text.slice(start, at), at: start })
      start = -1
    } else {
      if (start === -1) start = at
      if (character === '\\' && quote !== "'") at++
      else if (quote === '') quote = character === '"' || character === "'" ? character : ''
      else if (character === quote) quote = ''
    }
  }
  return quote === '' ? words : undefined
}
