/** The words and flags of a Dockerfile's instruction, each with its place. */

/** A word: what it says without quotes and escapes, and where it stands as written. */
export type Word = { readonly text: string; readonly at: number; readonly end: number }

/** A flag `--name=value` before the arguments of an instruction. `at` is where its value begins. */
export type BuilderFlag = { readonly name: string; readonly value: string; readonly at: number; readonly end: number }

/** Words divided by blanks, with quotes and backslashes as BuildKit's flags have them. */
export function wordAt(text: string, from: number): Word | undefined {
  let at = from
  while (at < text.length && /\s/.test(text[at] as string)) at++
  if (at >= text.length) return undefined
  const start = at
  let word = ''
  let quote = ''
  for (; at < text.length; at++) {
    const character = text[at] as string
    if (quote === '' && /\s/.test(character)) break
    if (character === '\\' && quote !== "'" && at + 1 < text.length) word += text[++at]
    else if (quote === '' && (character === '"' || character === "'")) quote = character
    else if (character === quote) quote = ''
    else word += character
  }
  return { text: word, at: start, end: at }
}

/** All words. */
export function wordsOf(text: string, from = 0): readonly Word[] {
  const words: Word[] = []
  for (let word = wordAt(text, from); word !== undefined; word = wordAt(text, word.end)) words.push(word)
  return words
}

/** The flags at the start of an instruction's arguments. */
export function builderFlags(rest: string): readonly BuilderFlag[] {
  const flags: BuilderFlag[] = []
  for (let word = wordAt(rest, 0); word !== undefined && word.text.startsWith('--') && word.text !== '--'; word = wordAt(rest, word.end)) {
    const equals = word.text.indexOf('=')
    const name = (equals === -1 ? word.text : word.text.slice(0, equals)).slice(2).toLowerCase()
    const raw = rest.slice(word.at, word.end)
    flags.push({ name, value: equals === -1 ? '' : word.text.slice(equals + 1), at: word.at + raw.indexOf('=') + 1, end: word.end })
  }
  return flags
}

/** Where the arguments begin after the flags. */
export function skipFlags(rest: string): number {
  const end = builderFlags(rest).at(-1)?.end ?? 0
  return end + rest.slice(end).length - rest.slice(end).trimStart().length
}
