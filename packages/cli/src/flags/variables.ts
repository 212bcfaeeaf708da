/** Every variable that stands for a flag of any verb, for `env` and `config view`. */
import type { Flag } from '../command/model.ts'
import { verbs } from '../command/table.ts'
import { plainVariable, readFromEnvironment, variablesOf } from './environment.ts'
import { globalFlags } from './global.ts'

/** What a variable stands for. */
export type FlagVariable = {
  readonly flag: string
  readonly help: string
  /** What the value is called in the help. */
  readonly expects: string
  /** It is meant for some verbs only, e.g. `COUNTERSIGN_SIGN_KEY`. */
  readonly scoped: boolean
  /** The verbs that read it; empty for all. */
  readonly verbs: readonly string[]
}

/** By variable, in the order of the verbs. Flags without effect and flags that are refused have none worth naming. */
export async function flagVariables(): Promise<ReadonlyMap<string, FlagVariable>> {
  const found = new Map<string, { flag: string; help: string; expects: string; scoped: boolean; verbs: string[] }>()
  const add = (flag: Flag, verb: string | undefined): void => {
    if (!readFromEnvironment(flag) || flag.idle !== undefined || flag.refused !== undefined) return
    for (const name of variablesOf(flag, verb ?? 'all')) {
      const known = found.get(name)
      if (known === undefined)
        found.set(name, {
          flag: flag.name,
          help: flag.help,
          expects: expectationOf(flag),
          scoped: name.startsWith('COUNTERSIGN_') && name !== plainVariable(flag),
          verbs: verb === undefined ? [] : [verb],
        })
      else if (verb !== undefined) known.verbs.push(verb)
    }
  }
  for (const flag of globalFlags) if (flag.name !== 'profile') add(flag, undefined)
  for (const verb of verbs) for (const flag of (await verb.load()).flags) add(flag, verb.name)
  return found
}

function expectationOf({ kind, choices, value }: Flag): string {
  if (kind === 'boolean') return 'true or false'
  const one = choices === undefined ? (value ?? (kind === 'text' ? 'a text' : kind === 'csv' ? 'values' : `a ${kind}`)) : choices.join(', ')
  return kind === 'list' ? `${one}, one a line` : kind === 'csv' ? `${one}, separated by commas` : one
}
