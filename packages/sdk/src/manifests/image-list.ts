/** Lists of images: one a line with `#` comments, or a JSON or YAML list of texts. */
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import type { Collector } from './collector.ts'
import { malformedAt, type ManifestText } from './text-place.ts'
import type { Tree } from './tree.ts'

/** Whether every line that says anything names one image. */
export function isImageList(text: string): boolean {
  let any = false
  for (const { word, rest } of words(text)) {
    if (rest !== '' || !isReference(word)) return false
    any = true
  }
  return any
}

/** Whether a document is a list of texts. */
export function isListOfTexts(tree: Tree): boolean {
  return tree.kind === 'list' && tree.items.length > 0 && tree.items.every((item) => item.kind === 'text')
}

/** One image a line. Throws `file_malformed` for a line with more on it. */
export function findInLines(source: ManifestText, collect: Collector): void {
  let index = 0
  for (const { word, rest, start } of words(source.text)) {
    if (rest !== '')
      throw malformedAt(
        source,
        start,
        'there is more than one word on a line of an image list',
        'Write one image on each line; comments begin with #.',
      )
    collect.add({ text: word, start, end: start + word.length, path: `[${index++}]` })
  }
}

/** The items of a list. */
export function findInListOfTexts(trees: readonly Tree[], collect: Collector): void {
  for (const tree of trees) {
    for (const [index, item] of (tree.kind === 'list' ? tree.items : []).entries()) {
      if (item.kind === 'text') collect.add({ text: item.text, start: item.start, end: item.end, path: `[${index}]` })
    }
  }
}

function* words(text: string): Generator<{ readonly word: string; readonly rest: string; readonly start: number }> {
  let offset = text.startsWith('\uFEFF') ? 1 : 0
  while (offset < text.length) {
    const newline = text.indexOf('\n', offset)
    const end = newline === -1 ? text.length : newline
    const line = text.slice(offset, end)
    const [word = '', ...others] = line.trim().split(/\s+/)
    const comment = others.findIndex((other) => other.startsWith('#'))
    const rest = (comment === -1 ? others : others.slice(0, comment)).join(' ')
    if (word !== '' && !word.startsWith('#')) yield { word, rest, start: offset + line.indexOf(word) }
    offset = end + 1
  }
}

function isReference(text: string): boolean {
  try {
    parseReference(text)
    return true
  } catch (cause) {
    if (cause instanceof CountersignError) return false
    throw cause
  }
}
