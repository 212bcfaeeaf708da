/** The flags in force: the command line wins over the environment, the environment over the profile. */
import { CountersignError } from '@countersign/core/failure'
import type { ParsedArguments } from './parse.ts'

/** Where a value came from. */
export type FlagSource = 'flag' | 'environment' | 'profile'

/** Values that a profile or the environment gives, by flag name. */
export type LayeredValues = ReadonlyMap<string, readonly string[]>

/** Values of one source, and for each flag the place in it: a variable, or file and line. */
export type Layer = { readonly values: LayeredValues; readonly places: ReadonlyMap<string, string> }

/** Reads flags by name. */
export type FlagValues = {
  /** The last value, or `undefined` when nothing gave one. An empty value counts as absent, as it does for cosign. */
  readonly text: (name: string) => string | undefined
  /** The value of a flag without which the verb cannot work; throws `usage` naming it. */
  readonly required: (name: string, hint: string) => string
  readonly list: (name: string) => readonly string[]
  readonly boolean: (name: string, otherwise: boolean) => boolean
  readonly source: (name: string) => FlagSource | undefined
}

/** Lays the three sources over each other. */
export function flagValues(parsed: ParsedArguments, environment: LayeredValues, profile: LayeredValues): FlagValues {
  const layers: readonly (readonly [FlagSource, LayeredValues])[] = [
    ['flag', parsed.given],
    ['environment', environment],
    ['profile', profile],
  ]
  const find = (name: string): readonly [FlagSource, readonly string[]] | undefined => {
    for (const [source, values] of layers) {
      const found = values.get(name)?.filter((value) => value !== '')
      if (found !== undefined && found.length > 0) return [source, found]
    }
    return undefined
  }
  const text = (name: string): string | undefined => find(name)?.[1].at(-1)
  return {
    text,
    required: (name, hint) => {
      const value = text(name)
      if (value === undefined) throw new CountersignError('usage', `--${name} is missing`, { hint })
      return value
    },
    list: (name) => find(name)?.[1] ?? [],
    boolean: (name, otherwise) => {
      const value = text(name)
      return value === undefined ? otherwise : value === 'true'
    },
    source: (name) => find(name)?.[0],
  }
}
