/**
 * The terminal, as the verbs see it: stdout carries the result, stderr everything else.
 *
 * Nothing else in the command touches the process.
 */
import { openSync, writeSync } from 'node:fs'
import { unwritableFile } from '@countersign/sdk/file-failure'
import { printable } from '../failure/message.ts'
import { standardStream } from './streams.ts'

/** Where output goes and where a person may be. */
export type Terminal = {
  /** The result. Silent when a report takes over stdout. */
  readonly out: (text: string | Uint8Array) => void
  /** Prose for people. */
  readonly err: (text: string) => void
  /** One line on stderr that also goes into the report; said once however often it happens. */
  readonly warn: (line: string) => void
  readonly warnings: readonly string[]
  /** A person reads stdout. */
  readonly outIsTerminal: boolean
  /** A person reads stderr. */
  readonly errIsTerminal: boolean
  /** A person can be asked. */
  readonly inIsTerminal: boolean
  /** stdout may be coloured. */
  readonly colour: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingFolder: string
  readonly nowMs: number
}

/** The same terminal, to which warnings are not said. Its streams stay unopened. */
export function withoutWarnings(terminal: Terminal): Terminal {
  return Object.create(terminal, { warn: { value: () => undefined } }) as Terminal
}

/** What `--output-file` and `--report` decide about stdout. */
export type TerminalOptions = { readonly outputFile?: string | undefined; readonly silent: boolean }

/** The real terminal of this process. */
export function processTerminal(options: TerminalOptions): Terminal {
  const warnings: string[] = []
  const file = options.outputFile === undefined || options.outputFile === '' ? undefined : openOutput(options.outputFile)
  const err = (text: string): void => void standardStream('stderr').write(text)
  return {
    out: (text) => {
      if (options.silent) return
      if (file === undefined) standardStream('stdout').write(text)
      else writeSync(file, typeof text === 'string' ? Buffer.from(text) : text)
    },
    err,
    warn: (line) => {
      if (warnings.includes(line)) return
      warnings.push(line)
      err(`${printable(line)}\n`)
    },
    warnings,
    // Looked at only by those who ask: each opens its stream.
    get outIsTerminal() {
      return file === undefined && standardStream('stdout').isTTY
    },
    get errIsTerminal() {
      return standardStream('stderr').isTTY
    },
    get inIsTerminal() {
      return process.stdin.isTTY
    },
    get colour() {
      return this.outIsTerminal && colourWanted(process.env)
    },
    environment: process.env,
    workingFolder: process.cwd(),
    nowMs: Date.now(),
  }
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w', 0o644)
  } catch (cause) {
    throw unwritableFile(path, cause)
  }
}

/** https://no-color.org: any non-empty value turns colours off. */
function colourWanted(environment: Readonly<Record<string, string | undefined>>): boolean {
  return (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb'
}
