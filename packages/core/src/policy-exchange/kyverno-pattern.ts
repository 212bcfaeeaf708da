/**
 * What a pattern of Kyverno over the text of an image admits (`a | b & !c`: kyverno.io, Validate Rules, Operators), held against globs of ours.
 * Only what is surely admitted counts: an import must not leave out a restriction in silence.
 */
import { fromKyvernoImage, splitTag } from './image-globs.ts'

const maxAlternatives = 256

/** The globs that speak, or may speak, of images which the pattern refuses. */
export function refusedByPattern(pattern: string, globs: readonly string[]): readonly string[] {
  const alternatives = pattern.split('|', maxAlternatives).map((text) => text.trim())
  // One with an operator restricts in ways that are not looked into: it surely admits nothing.
  const plain = alternatives.filter((text) => text !== '' && !/[&!<>@]/.test(text.replace(/@\*$/, '')))
  return globs.filter((glob) => !plain.some((wildcard) => admits(wildcard, glob, plain)))
}

function admits(wildcard: string, glob: string, all: readonly string[]): boolean {
  const { place, tag } = splitTag(wildcard)
  const same = fromKyvernoImage(wildcard)?.includes(glob) === true
  if (tag === undefined) {
    // Without a star at the end it admits one text, without tag or digest.
    if (!place.endsWith('*') || place.endsWith('@*')) return false
    const prefix = place.replace(/\*+$/, '')
    return same || (!/[*?]/.test(prefix) && literalStart(glob).startsWith(prefix))
  }
  // Every tag, which is every image only together with every digest.
  return same && (!/^\*+$/.test(tag) || all.includes(`${place}@*`))
}

function literalStart(glob: string): string {
  return glob.slice(0, /[*?]|$/.exec(glob)?.index)
}
