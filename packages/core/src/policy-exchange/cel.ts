/** Conditions of other tools as CEL over `predicate`, and the simple ones back. */
import type { JsonValue } from '../json/parse.ts'
import { quoted } from './names.ts'

const reserved: ReadonlySet<string> = new Set(
  'as break const continue else false for function if import in let loop namespace null package return true var void while'.split(' '),
)

/** A member of the predicate: names and indexes after another. */
export function celMember(steps: readonly (string | number)[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === 'number') return `${path}[${step}]`
    return /^[A-Za-z_][A-Za-z0-9_]*$/.test(step) && !reserved.has(step) ? `${path}.${step}` : `${path}[${celText(step)}]`
  }, 'predicate')
}

/** A string literal of CEL. */
export function celText(text: string): string {
  return JSON.stringify(text)
}

/** A JSON value as a literal of CEL; `undefined` for what has none here. */
export function celLiteral(value: JsonValue): string | undefined {
  if (typeof value === 'string') return celText(value)
  if (typeof value === 'boolean' || value === null) return String(value)
  if (typeof value === 'number') return Number.isSafeInteger(value) || /[.e]/.test(String(value)) ? String(value) : undefined
  if (!Array.isArray(value)) return undefined
  const items = (value as readonly JsonValue[]).map(celLiteral)
  return items.every((item) => item !== undefined) ? `[${items.join(', ')}]` : undefined
}

/** The plain part of JMESPath: names, quoted names and indexes, in `{{ … }}`; `undefined` for functions, filters and projections. */
export function jmesSteps(key: string): readonly (string | number)[] | undefined {
  const inside = key.startsWith('{{') && key.endsWith('}}') ? key.slice(2, -2).trim() : ''
  if (inside === '') return undefined
  const steps: (string | number)[] = []
  let rest = inside
  while (rest !== '') {
    const match = /^(?:\.?([A-Za-z_][A-Za-z0-9_]*)|\.?("(?:[^"\\]|\\.)*")|\[([0-9]{1,6})\])/.exec(rest)
    if (match === null) return undefined
    steps.push(match[1] ?? (match[2] === undefined ? Number(match[3]) : String(JSON.parse(match[2]))))
    rest = rest.slice(match[0].length)
  }
  return steps
}

/** One condition of Kyverno as CEL; `undefined` where an operator or key has no counterpart. */
export function kyvernoCondition(key: string, operator: string, value: JsonValue): string | undefined {
  const steps = jmesSteps(key)
  if (steps === undefined || (typeof value === 'string' && value.includes('{{'))) return undefined
  const member = celMember(steps)
  const name = operator.toLowerCase()
  if (name === 'equals' || name === 'equal' || name === 'notequals' || name === 'notequal') {
    const equal = equality(member, value)
    return equal === undefined ? undefined : name.startsWith('not') ? `!(${equal})` : equal
  }
  const list = celLiteral(Array.isArray(value) ? value : [value])
  if (name === 'in' || name === 'anyin') return list === undefined || wild(value) ? undefined : `${member} in ${list}`
  if (name === 'notin' || name === 'anynotin') return list === undefined || wild(value) ? undefined : `!(${member} in ${list})`
  const sign = { greaterthan: '>', greaterthanorequals: '>=', lessthan: '<', lessthanorequals: '<=' }[name]
  return sign === undefined || typeof value !== 'number' ? undefined : `${member} ${sign} ${value}`
}

/** Kyverno compares texts with wildcards. */
function equality(member: string, value: JsonValue): string | undefined {
  if (typeof value === 'string' && /[*?]/.test(value)) {
    const pattern = value.replaceAll(/\*+|\?|[^*?]+/g, (part) =>
      part.startsWith('*') ? '(?s:.*)' : part === '?' ? '(?s:.)' : quoted(part),
    )
    return `${member}.matches(${celText(`^${pattern}$`)})`
  }
  const literal = celLiteral(value)
  return literal === undefined || typeof value === 'object' ? undefined : `${member} == ${literal}`
}

function wild(value: JsonValue): boolean {
  return /[*?]/.test(JSON.stringify(value))
}

/** A conjunction of `predicate.a.b == literal`, as its parts; `undefined` for any other condition. */
export function equalitiesOf(condition: string): readonly { readonly steps: readonly string[]; readonly value: JsonValue }[] | undefined {
  const parts: { steps: readonly string[]; value: JsonValue }[] = []
  let rest = condition.trim()
  for (;;) {
    const match =
      /^predicate((?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*==\s*("(?:[^"\\]|\\.)*"|'[^'\\]*'|true|false|-?[0-9]{1,15})\s*(?:&&\s*|$)/.exec(rest)
    if (match === null) return undefined
    const literal = match[2] ?? ''
    const value = literal.startsWith("'") ? literal.slice(1, -1) : (JSON.parse(literal) as JsonValue)
    parts.push({ steps: (match[1] ?? '').slice(1).split('.'), value })
    rest = rest.slice(match[0].length)
    if (rest === '') return /&&\s*$/.test(match[0]) ? undefined : parts
  }
}

/** A struct of CUE that only fixes values under `predicate`, as CEL; `undefined` for anything else. Empty text: it only names the type. */
export function cueCondition(cue: string): string | undefined {
  const tokens = cue.match(/"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|-?[0-9]+|[{}:,\n]|[^\s]/g) ?? []
  const conditions: string[] = []
  let at = 0
  const skip = (): void => {
    while (tokens[at] === '\n' || tokens[at] === ',') at += 1
  }
  const value = (steps: readonly string[], depth: number): boolean => {
    const token = tokens[at]
    if (token === undefined || depth > 16) return false
    if (token === '{') return ((at += 1), fields(steps, depth + 1))
    if (/^[A-Za-z_"]/.test(token) && tokens[at + 1] === ':') return field(steps, depth + 1)
    if (!/^(?:"|-?[0-9]|true$|false$)/.test(token)) return false
    at += 1
    if (steps.length === 1 && steps[0] === 'predicateType') return true
    if (steps[0] !== 'predicate') return false
    conditions.push(`${celMember(steps.slice(1))} == ${token}`)
    return true
  }
  const field = (steps: readonly string[], depth: number): boolean => {
    const token = tokens[at] ?? ''
    if (!/^[A-Za-z_"]/.test(token) || tokens[at + 1] !== ':') return false
    at += 2
    return value([...steps, token.startsWith('"') ? String(JSON.parse(token)) : token], depth)
  }
  const fields = (steps: readonly string[], depth: number): boolean => {
    for (skip(); tokens[at] !== '}'; skip()) if (!field(steps, depth)) return false
    at += 1
    return true
  }
  for (skip(); at < tokens.length; skip()) if (!field([], 0)) return undefined
  return conditions.join(' && ')
}
