/** The flags of a verb with their values in force, and where each comes from. */
import { type FlagSource, flagValues } from '../command/flag-values.ts'
import type { Command, Flag } from '../command/model.ts'
import { parseArguments } from '../command/parse.ts'
import { environmentLayer } from '../flags/environment.ts'
import { globalFlags } from '../flags/global.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { profileLayer } from './profile.ts'

/** One flag in force. */
export type FlagInForce = {
  readonly flag: string
  /** As a verb would get them; a secret is one `(secret)`. */
  readonly values: readonly string[]
  readonly source: FlagSource | 'default'
  /** The variable, or `FILE:LINE`; absent for flags and defaults. */
  readonly place?: string
}

const secrets = /^(?:registry-password|registry-token|password)$/

/** What `command` would work with, were it called with `argv` here. Flags that nothing gives and that have no default are left out. */
export async function flagsInForce(command: Command, argv: readonly string[], terminal: Terminal): Promise<readonly FlagInForce[]> {
  const flags = [...command.flags, ...globalFlags]
  const parsed = parseArguments(argv, flags)
  const environment = environmentLayer(command, parsed.given, terminal.environment)
  const profile = await profileLayer(command, new Map([...environment.values, ...parsed.given]), terminal)
  const values = flagValues(parsed, environment.values, profile.values)
  return flags.flatMap((flag): readonly FlagInForce[] => {
    if (flag.alias !== undefined || flag.name === 'help') return []
    const source = values.source(flag.name)
    if (source === undefined) {
      if (flag.default === undefined || flag.hidden === true) return []
      return [{ flag: flag.name, values: [flag.default], source: 'default' }]
    }
    const place =
      source === 'environment' ? environment.places.get(flag.name) : source === 'profile' ? profile.places.get(flag.name) : undefined
    return [{ flag: flag.name, values: shown(flag, values.list(flag.name)), source, ...(place === undefined ? {} : { place }) }]
  })
}

/** Values for eyes: no secret, and no user information of a URL. Of a flag that is given once only the last counts. */
function shown(flag: Flag, values: readonly string[]): readonly string[] {
  return concealed(flag.name, flag.kind === 'list' || flag.kind === 'csv' ? values : values.slice(-1))
}

/** Values without what only the two sides should know. */
export function concealed(flag: string, values: readonly string[]): readonly string[] {
  if (secrets.test(flag)) return ['(secret)']
  return values.map((value) => value.replace(/^([a-z][a-z0-9+.-]{0,30}:\/\/)[^/@]{0,1000}@/i, '$1…@'))
}
