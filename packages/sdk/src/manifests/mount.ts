/** `RUN --mount=type=bind,from=IMAGE,…`: a line of CSV. */

/** What a mount takes files from, and about where in the flag's value that stands. */
export function mountSource(value: string): { readonly text: string; readonly near: number } | undefined {
  let near = 0
  let found: { readonly text: string; readonly near: number } | undefined
  for (const field of value.split(',')) {
    const bare = field.trim().replaceAll('"', '')
    const equals = bare.indexOf('=')
    // The last one counts, as in the builder.
    if (equals !== -1 && bare.slice(0, equals).trim().toLowerCase() === 'from') {
      const text = bare.slice(equals + 1).trim()
      found = text === '' ? undefined : { text, near: near + field.indexOf('=') + 1 }
    }
    near += field.length + 1
  }
  return found
}
