/** From offsets in a text to lines and columns, and failures that name them. */
import { CountersignError } from '@countersign/core/failure'

/** A file's text, and how its places are called. */
export type ManifestText = {
  readonly file: string
  readonly text: string
  /** Line and column of an offset, both from 1. */
  readonly place: (offset: number) => { readonly line: number; readonly column: number }
}

/** Prepares a text; lines end with LF, so that CR LF counts once. */
export function manifestText(file: string, text: string): ManifestText {
  let starts: number[] | undefined
  const place = (offset: number): { readonly line: number; readonly column: number } => {
    starts ??= lineStarts(text)
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((starts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 }
  }
  return { file, text, place }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** `file_malformed` as `FILE:LINE:COLUMN: what`. */
export function malformedAt({ file, place }: ManifestText, offset: number, detail: string, hint?: string): CountersignError {
  const { line, column } = place(offset)
  return new CountersignError('file_malformed', `${file}:${line}:${column}: ${detail}`, hint === undefined ? {} : { hint })
}

/** `limit_exceeded` of a whole file. */
export function beyondLimit({ file }: Pick<ManifestText, 'file'>, detail: string, expected: string): CountersignError {
  return new CountersignError('limit_exceeded', `${file}: ${detail}`, { expected })
}
