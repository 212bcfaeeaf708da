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
  let reached = skipStars(tokens, [true])
  for (const character of name.split('')) {
    const next: boolean[] = []
    let alive = false
    for (const [i, token] of tokens.entries()) {
      if (reached[i] !== true) continue
      if (token.kind === 'all' || (token.kind === 'segment' && character !== '/')) next[i] = alive = true
      else if (token.kind === 'literal' ? token.character === character : token.kind === 'one' && character !== '/')
        next[i + 1] = alive = true
    }
    if (!alive) return false
    reached = skipStars(tokens, next)
  }
  return reached[tokens.length] === true
}

/** A star may stand for nothing. */
function skipStars(tokens: readonly Token[], reached: boolean[]): boolean[] {
  for (const [i, token] of tokens.entries()) {
    if (reached[i] === true && (token.kind === 'all' || token.kind === 'segment')) reached[i + 1] = true
  }
  return reached
}
