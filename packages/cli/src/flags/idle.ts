/** Flags of cosign that do nothing here, flags that ask for what does not exist here, and flags that ask for nothing: each says so. */
import { CountersignError } from '@countersign/core/failure'
import type { Layer } from '../command/flag-values.ts'
import type { Command } from '../command/model.ts'
import type { ParsedArguments } from '../command/parse.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Says once, on stderr, which of the given flags have no effect, and why. */
export function noticeIdleFlags(command: Command, parsed: ParsedArguments, terminal: Terminal): void {
  for (const flag of command.flags) {
    if (flag.idle === undefined || !parsed.spelled.has(flag.name)) continue
    if (flag.quietWhenFalse === true && parsed.given.get(flag.name)?.at(-1) === 'false') continue
    terminal.warn(`--${flag.name} has no effect: ${flag.idle}`)
  }
}

/**
 * Refuses an empty value of a flag that a verification demands something by. `--trusted-root "$ROOT"` with `ROOT` unset would otherwise
 * demand less than whoever wrote it meant, and nobody would notice.
 */
export function refuseEmptyDemands(command: Command, parsed: ParsedArguments): void {
  if (!command.name.startsWith('verify')) return
  for (const flag of command.flags) {
    if (flag.idle !== undefined || flag.refused !== undefined || !parsed.spelled.has(flag.name)) continue
    if (parsed.given.get(flag.alias ?? flag.name)?.includes('') !== true) continue
    throw new CountersignError('usage', `--${flag.name} was given an empty value`, {
      hint: 'Check the variable that it comes from; to demand nothing by it, leave the flag out.',
    })
  }
}

/** The same of flags that variables gave: one that asks for what is not there is refused, one without effect is said. */
export function checkVariables(command: Command, layer: Layer, terminal: Terminal): void {
  for (const flag of command.flags) {
    const value = layer.values.get(flag.name)?.at(-1)
    const variable = layer.places.get(flag.name) ?? ''
    if (value === undefined || value === 'false') continue
    if (flag.refused !== undefined)
      throw new CountersignError(flag.refused.code, `--${flag.name} is not supported (${variable})`, { hint: flag.refused.hint })
    if (flag.idle !== undefined) terminal.warn(`${variable} has no effect: ${flag.idle}`)
  }
}

/** Refuses the first given flag that asks for what is not there: doing less than asked would be a lie. `--flag=false` asks for nothing. */
export function refuseFlags(command: Command, parsed: ParsedArguments): void {
  for (const flag of command.flags) {
    if (flag.refused === undefined || !parsed.spelled.has(flag.name)) continue
    const value = parsed.given.get(flag.alias ?? flag.name)?.at(-1)
    if (value === '' || value === 'false') continue
    throw new CountersignError(flag.refused.code, `--${flag.name} is not supported`, { hint: flag.refused.hint })
  }
}
