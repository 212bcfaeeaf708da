/** The TypeScript samples in the documentation: fenced `ts` blocks of Markdown files and of TSDoc comments. */

/** One sample, and where it stands. */
export type Sample = { readonly path: string; readonly line: number; readonly code: string }

/** The fenced blocks marked `ts` of a Markdown text, also those that are named as a file. */
export function markdownSamples(path: string, text: string): Sample[] {
  const samples: Sample[] = []
  let open: { line: number; lines: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    if (open === undefined) {
      if (/^\s*```ts(?:\s+\S+)?\s*$/.test(line)) open = { line: index + 2, lines: [] }
    } else if (/^\s*```\s*$/.test(line)) {
      samples.push({ path, line: open.line, code: open.lines.join('\n') })
      open = undefined
    } else open.lines.push(line)
  }
  return samples
}

/** The fenced blocks marked `ts` in the TSDoc comments of a TypeScript text. */
export function docSamples(path: string, text: string): Sample[] {
  const outside = text.replaceAll(/^(?![ \t]*\*(?: |$)).*$/gm, '')
  return markdownSamples(path, outside.replaceAll(/^[ \t]*\* ?/gm, ''))
}
