/**
 * Globs over names made of segments with `/` between them: image names, URLs, paths.
 *
 * `*` stands for any characters of one segment, none included; `**` for any characters at all, also over several segments; `?` for one
 * character of a segment. Everything else, also `[`, `{` and `\`, stands for itself, code unit by code unit: no case folding.
 */
import { CountersignError } from './failure.ts'

const maxCharacters = 1024

type Token = { readonly kind: 'literal'; readonly character: string } | { readonly kind: 'one' | 'segment' | 'all' }

/**
 * Makes a matcher of whole names. It runs all possibilities side by side, so that the time is that of name length times glob length: no glob makes it
 * slow. Throws `pattern_malformed` for an empty glob, one of more than 1,024 characters, or one with three stars in a row.
 */
export function compileGlob(glob: string): (name: string) => boolean {
  if (glob === '' || glob.length > maxCharacters || glob.includes('***')) {
    throw new CountersignError('pattern_malformed', `${JSON.stringify(glob.slice(0, 100))} is not a glob`, {
      expected: `1 to ${maxCharacters} characters with at most two stars in a row`,
    })
  }
  const tokens = readTokens(glob)
  const first = tokens.findIndex(({ kind }) => kind !== 'literal')
  if (first === -1) return (name) => name === glob
  const last = tokens.findLastIndex(({ kind }) => kind !== 'literal')
  // Most globs have one wildcard and most names are decided by what stands around it: thousands of names a second are matched.
  const [head, tail] = [textOf(tokens.slice(0, first)), textOf(tokens.slice(last + 1))]
  const within = matcherOf(tokens.slice(first, last + 1))
  const least = head.length + tail.length
  return (name) =>
    name.length >= least && name.startsWith(head) && name.endsWith(tail) && within(name.slice(head.length, name.length - tail.length))
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map((token) => (token.kind === 'literal' ? token.character : '')).join('')
}

function matcherOf(tokens: readonly Token[]): (name: string) => boolean {
  const [only, another] = tokens
  if (another === undefined && only?.kind === 'all') return () => true
  if (another === undefined && only?.kind === 'segment') return (name) => !name.includes('/')
  return (name) => matches(tokens, name)
}

/** Whether a whole name matches a glob. Throws as {@link compileGlob}. */
export function matchesGlob(glob: string, name: string): boolean {
  return compileGlob(glob)(name)
}

function readTokens(glob: string): readonly Token[] {
  const tokens: Token[] = []
  for (let i = 0; i < glob.length; i++) {
    const character = glob.charAt(i)
    if (character === '*' && glob.charAt(i + 1) === '*') {
      tokens.push({ kind: 'all' })
      i++
    } else if (character === '*') tokens.push({ kind: 'segment' })
    else if (character === '?') tokens.push({ kind: 'one' })
    else tokens.push({ kind: 'literal', character })
  }
  return tokens
}

/** `reached[i]`: what was read so far can have been matched by the first `i` tokens. */
function matches(tokens: readonly Token[], name: string): boolean {
  let reached = new Uint8Array(tokens.length + 1)
  let next = new Uint8Array(tokens.length + 1)
  reached[0] = 1
  skipStars(tokens, reached)
  for (let at = 0; at < name.length; at++) {
    if (!step(tokens, name.charAt(at), reached, next)) return false
    skipStars(tokens, next)
    const done = reached
    reached = next
    next = done.fill(0)
  }
  return reached[tokens.length] === 1
}

/** Reads one character; false when nothing can match any more. */
function step(tokens: readonly Token[], character: string, reached: Uint8Array, next: Uint8Array): boolean {
  let alive = false
  for (let i = 0; i < tokens.length; i++) {
    if (reached[i] !== 1) continue
    const token = tokens[i] as Token
    if (token.kind === 'all' || (token.kind === 'segment' && character !== '/')) {
      next[i] = 1
      alive = true
    } else if (token.kind === 'literal' ? token.character === character : token.kind === 'one' && character !== '/') {
      next[i + 1] = 1
      alive = true
    }
  }
  return alive
}

/** A star may stand for nothing. */
function skipStars(tokens: readonly Token[], reached: Uint8Array): void {
  for (let i = 0; i < tokens.length; i++) {
    const kind = reached[i] === 1 ? tokens[i]?.kind : undefined
    if (kind === 'all' || kind === 'segment') reached[i + 1] = 1
  }
}
