/** Names and patterns in the dialects of other tools. */
import { unreachable } from '../failure.ts'
import type { JsonValue } from '../json/parse.ts'
import type { NameMatch } from '../verify/policy.ts'

/** A match as a policy writes it. */
export function nameJson(match: NameMatch): JsonValue {
  return match.kind === 'exact' ? match.value : { [match.kind]: match.value }
}

/** The text as a regular expression that matches nothing else. */
export function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/**
 * A pattern that may match anywhere in a name (Go's `MatchString`, as cosign, Kyverno and policy-controller compare) as one of a policy,
 * which must match the whole of it. Patterns without alternatives at their top lose their anchors; others are wrapped whole.
 */
export function fromSearch(pattern: string): NameMatch {
  const anything = '(?s:.*)'
  const whole = /^\^\(\?:(.*)\)\$$/s.exec(pattern)?.[1]
  if (whole !== undefined && shapeOf(whole).balanced) return { kind: 'pattern', value: whole }
  if (shapeOf(pattern).alternatives) return { kind: 'pattern', value: `${anything}(?:${pattern})${anything}` }
  const starts = pattern.startsWith('^')
  const ends = /(?:^|[^\\])(?:\\\\)*\$$/.test(pattern)
  // Where anything may stand before or after it, `.*` at that end says nothing.
  const front = starts ? pattern.slice(1) : pattern.replace(/^(?:\.\*)+(?![?+*{])/, '')
  const inner = ends ? front.slice(0, -1) : front.replace(/(?<!\\)(?:\.\*)+$/, '')
  if (inner === '' && !starts && !ends) return { kind: 'pattern', value: anything }
  return { kind: 'pattern', value: `${starts ? '' : anything}${inner}${ends ? '' : anything}` }
}

/** Whether a pattern has alternatives outside of every group, and whether it could stand in a group: `a)|(b` could not. */
function shapeOf(pattern: string): { readonly alternatives: boolean; readonly balanced: boolean } {
  let depth = 0
  let alternatives = false
  for (const character of pattern.replaceAll(/\\./gs, '').replaceAll(/\[[^\]]*\]/g, '')) {
    depth += character === '(' ? 1 : character === ')' ? -1 : 0
    if (depth < 0) return { alternatives: true, balanced: false }
    if (character === '|' && depth === 0) alternatives = true
  }
  return { alternatives, balanced: depth === 0 }
}

/** A match as a pattern that is searched for, anchored at both ends. */
export function toSearch(match: NameMatch): string {
  switch (match.kind) {
    case 'exact':
      return `^${quoted(match.value)}$`
    case 'glob':
      return `^${globPattern(match.value)}$`
    case 'pattern':
      return `^(?:${match.value})$`
    default:
      return unreachable(match)
  }
}

/** A glob (`glob.ts`) as a regular expression, without anchors. */
export function globPattern(glob: string): string {
  return glob.replaceAll(/\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === '**') return '(?s:.*)'
    if (part === '*') return '[^/]*'
    return part === '?' ? '[^/]' : quoted(part)
  })
}

/** A wildcard of Kyverno: `*` stands for anything, `?` for one character, slashes too. */
export function fromWildcard(wildcard: string): NameMatch {
  if (!/[*?]/.test(wildcard)) return { kind: 'exact', value: wildcard }
  if (!wildcard.includes('?')) return { kind: 'glob', value: wildcard.replaceAll(/\*+/g, '**') }
  const pattern = wildcard.replaceAll(/\*+|\?|[^*?]+/g, (part) =>
    part.startsWith('*') ? '(?s:.*)' : part === '?' ? '(?s:.)' : quoted(part),
  )
  return { kind: 'pattern', value: pattern }
}

/** A match as a wildcard of Kyverno; `undefined` where a wildcard would match more. */
export function toWildcard(match: NameMatch): string | undefined {
  if (match.kind === 'exact') return /[*?]/.test(match.value) ? undefined : match.value
  if (match.kind === 'pattern') return undefined
  return /^(?:[^*?]|\*\*)*$/.test(match.value) ? match.value.replaceAll('**', '*') : undefined
}

/** A name that identities and rules may have, made of any text. */
export function nameFrom(text: string): string {
  const name = text.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '')
  return name === '' ? 'unnamed' : name.slice(0, 48)
}
