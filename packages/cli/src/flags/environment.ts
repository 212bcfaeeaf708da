/** Environment variables that stand for flags. Variables that are no flag (passwords, proxies, registry credentials) are read where they are used. */
import type { Command } from '../command/model.ts'
import type { LayeredValues } from '../command/flag-values.ts'

const variables: Readonly<Record<string, string>> = {
  COSIGN_REPOSITORY: 'signature-repository',
}

/** Values of the flags of `command` that the environment gives. */
export function environmentValues(command: Command, environment: Readonly<Record<string, string | undefined>>): LayeredValues {
  const values = new Map<string, readonly string[]>()
  for (const [variable, flag] of Object.entries(variables)) {
    const value = environment[variable]
    if (value !== undefined && value !== '' && command.flags.some((candidate) => candidate.name === flag)) values.set(flag, [value])
  }
  return values
}
