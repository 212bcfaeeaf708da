/** An invocation as the verbs get it, out of flags as typed. */
import type { Invocation } from '../../src/command/invocation.ts'
import { flagValues } from '../../src/command/flag-values.ts'
import type { Command } from '../../src/command/model.ts'
import { parseArguments } from '../../src/command/parse.ts'
import { globalFlags } from '../../src/flags/global.ts'

/** The invocation, and what it said on stderr. */
export function invocationOf(
  command: Command,
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): { readonly invocation: Invocation; readonly said: string[] } {
  const said: string[] = []
  const parsed = parseArguments(argv, [...command.flags, ...globalFlags])
  const terminal = {
    out: () => undefined,
    err: (text: string) => void said.push(text),
    warn: (line: string) => void said.push(line),
    warnings: said,
    outIsTerminal: false,
    errIsTerminal: false,
    inIsTerminal: false,
    colour: false,
    environment,
    workingFolder: '.',
    nowMs: Date.UTC(2026, 10, 20),
  }
  const flags = flagValues(parsed, new Map(), new Map())
  return { said, invocation: { flags, subjects: parsed.subjects, terminal, verbose: false, reportOnStdout: false, reportAsked: false } }
}
