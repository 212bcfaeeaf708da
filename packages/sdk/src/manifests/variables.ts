/** `$NAME`, `${NAME}` and their defaults, as Dockerfiles and Compose files write them. */

/** What a text becomes. Without `text` a variable has no value, or is written in a form that is not read. */
export type Expansion = {
  readonly text?: string
  /** The variable that has no value. */
  readonly missing?: string
  /** The whole text was one variable, and its default was taken: where in the text that stands. */
  readonly fallback?: { readonly start: number; readonly end: number }
}

/** How a literal `$` is written: `$$` in Compose, `\$` in Dockerfiles (or after the escape character that they name). */
export type Dialect = { readonly kind: 'compose' } | { readonly kind: 'dockerfile'; readonly escape: string }

/** How far a text has been read, and how much of it has been written. */
type Position = { index: number; written: number }

const maxDepth = 8
const maxCharacters = 16_384
const name = /[A-Za-z_][A-Za-z0-9_]*/y

/** Expands a text. docs.docker.com: Dockerfile "Environment replacement"; compose-spec "Interpolation". A variable that is not set is never "empty". */
export function expand(text: string, dialect: Dialect, valueOf: (name: string) => string | undefined): Expansion {
  const parts: string[] = []
  const at = { index: 0, written: 0 }
  const missing = expandUntil(text, at, { dialect, valueOf, depth: 0, parts, end: undefined })
  if (missing !== undefined) return { missing }
  const expanded = parts.join('')
  const fallback = fallbackPlace(text, expanded)
  return fallback === undefined ? { text: expanded } : { text: expanded, fallback }
}

/** The variable that is the whole of a text: `$NAME` or `${NAME}`. */
export function wholeVariable(text: string): string | undefined {
  const match = /^\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})$/.exec(text)
  return match?.[1] ?? match?.[2]
}

function fallbackPlace(text: string, expanded: string): Expansion['fallback'] {
  const match = /^\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]*)\}$/.exec(text)
  if (match?.[1] !== expanded || expanded === '') return undefined
  return { start: text.length - 1 - expanded.length, end: text.length - 1 }
}

type Pass = {
  readonly dialect: Dialect
  readonly valueOf: (name: string) => string | undefined
  readonly depth: number
  readonly parts: string[]
  readonly end: '}' | undefined
}

/** Reads until `end`, or to the end of the text. Answers the name that has no value, or the expression that cannot be read. */
function expandUntil(text: string, at: Position, pass: Pass): string | undefined {
  if (text.length > maxCharacters || pass.depth > maxDepth) return text.slice(0, 80)
  while (at.index < text.length) {
    // Hostile: variables that hold variables grow without end.
    if (at.written > maxCharacters) return text.slice(0, 80)
    at.written++
    const character = text[at.index] as string
    if (character === pass.end) return undefined
    const next = text[at.index + 1]
    if (pass.dialect.kind === 'dockerfile' && character === pass.dialect.escape && next === '$') {
      pass.parts.push('$')
      at.index += 2
    } else if (character !== '$') {
      pass.parts.push(character)
      at.index++
    } else if (pass.dialect.kind === 'compose' && next === '$') {
      pass.parts.push('$')
      at.index += 2
    } else {
      const missing = expandOne(text, at, pass)
      if (missing !== undefined) return missing
    }
  }
  return pass.end === undefined ? undefined : text.slice(0, 80)
}

function expandOne(text: string, at: Position, pass: Pass): string | undefined {
  const start = at.index
  const braced = text[start + 1] === '{'
  name.lastIndex = start + (braced ? 2 : 1)
  const variable = name.exec(text)?.[0]
  const unread = text.slice(start, start + 80)
  if (variable === undefined) return unread
  at.index = name.lastIndex
  const value = pass.valueOf(variable)
  if (!braced || text[at.index] === '}') {
    if (braced) at.index++
    if (value === undefined) return variable
    at.written += value.length
    pass.parts.push(value)
    return undefined
  }
  const colon = text[at.index] === ':'
  const operator = text[at.index + (colon ? 1 : 0)]
  if (operator === undefined || !'-+?'.includes(operator)) return unread
  at.index += colon ? 2 : 1
  const word: string[] = []
  const missing = expandUntil(text, at, { ...pass, depth: pass.depth + 1, parts: word, end: '}' })
  if (text[at.index] !== '}') return missing ?? unread
  at.index++
  at.written += value?.length ?? 0
  return choose({ value, set: value !== undefined && !(colon && value === ''), operator, word, missing, variable }, pass.parts)
}

type Choice = {
  readonly value: string | undefined
  readonly set: boolean
  readonly operator: string
  readonly word: readonly string[]
  readonly missing: string | undefined
  readonly variable: string
}

/** `:-` and `-` give the word when the variable is not set, `:+` and `+` when it is, `:?` and `?` demand it. */
function choose({ value, set, operator, word, missing, variable }: Choice, parts: string[]): string | undefined {
  const takesWord = operator === '-' ? !set : operator === '+' && set
  if (takesWord) {
    if (missing !== undefined) return missing
    parts.push(...word)
  } else if (operator !== '+') {
    if (value === undefined || (operator === '?' && !set)) return variable
    parts.push(value)
  }
  return undefined
}
