/** Processes that tests kill: each prints a line for what was confirmed to it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** How a process ended: the lines that it printed, and what it said on stderr. */
type Ended = { readonly lines: readonly string[]; readonly errors: string; readonly signal: string | null }

/** A running one. */
export type Child = {
  /** The next line, or `undefined` at the end. */
  readonly line: () => Promise<string | undefined>
  readonly kill: (signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT') => void
  readonly ended: Promise<Ended>
}

/** Runs a TypeScript file of the tests. `largestFile` is a limit of the system for each file that it writes, in blocks of 512 bytes. */
export function startChild(script: URL, args: readonly string[], limits: { readonly largestFile?: number } = {}): Child {
  const command = [process.execPath, '--conditions=source', script.pathname, ...args]
  const limited = limits.largestFile === undefined ? command : ['sh', '-c', `ulimit -f ${limits.largestFile}; exec "$@"`, 'sh', ...command]
  const child = spawn(limited[0] as string, limited.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  const waiting: (() => void)[] = []
  let read = 0
  let over = false
  let errors = ''
  const wake = () => waiting.splice(0).forEach((resolve) => resolve())
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    wake()
  })
  child.stderr.on('data', (part: Buffer) => (errors += part.toString()))
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[, signal]]) => {
    over = true
    wake()
    return { lines, errors, signal: signal as string | null }
  })
  const line = async (): Promise<string | undefined> => {
    if (read >= lines.length && !over) {
      await new Promise<void>((resolve) => waiting.push(resolve))
      return line()
    }
    return lines[read++]
  }
  return { line, kill: (signal) => void child.kill(signal), ended }
}
