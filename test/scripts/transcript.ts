/**
 * Reads a transcript: what was typed, and all that came back.
 *
 * `# …`   a heading or comment
 * `$ …`   a command for `sh`, in the folder of the script
 * `| …`   a line of stderr; every other line is stdout
 * `? N`   the exit code, when it is not 0
 *
 * In an expected line `[..]` stands for anything; a line `[...]` stands for any number of lines.
 */

/** One command and what must come back. */
export type Step = {
  readonly line: number
  readonly command: string
  readonly stdout: readonly string[]
  readonly stderr: readonly string[]
  readonly exit: number
}

/** The steps of a transcript. */
export function parseTranscript(text: string): readonly Step[] {
  const steps: { line: number; command: string; stdout: string[]; stderr: string[]; exit: number }[] = []
  for (const [at, line] of text.trimEnd().split('\n').entries()) {
    if (line.startsWith('# ') || line === '#') continue
    if (line.startsWith('$ ')) {
      steps.push({ line: at + 1, command: line.slice(2), stdout: [], stderr: [], exit: 0 })
      continue
    }
    const step = steps.at(-1)
    if (step === undefined) continue
    if (line.startsWith('? ')) step.exit = Number(line.slice(2))
    else if (line === '|' || line.startsWith('| ')) step.stderr.push(line.slice(2))
    else step.stdout.push(line)
  }
  return steps.map((step) => ({ ...step, stdout: withoutTrailingBlanks(step.stdout) }))
}

/** Blank lines between steps are for the reader. */
function withoutTrailingBlanks(lines: readonly string[]): readonly string[] {
  const last = lines.findLastIndex((line) => line !== '')
  return lines.slice(0, last + 1)
}

/** Whether the output is the expected one. Blank lines at the end do not count. */
export function matches(expected: readonly string[], actual: string): boolean {
  const lines = withoutTrailingBlanks(actual.split('\n'))
  const source = expected.map((line) => (line === '[...]' ? '(?:.*\\n)*' : `${line.split('[..]').map(escaped).join('.*')}\\n`)).join('')
  return new RegExp(`^${source}$`).test(lines.map((line) => `${line}\n`).join(''))
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')
}
