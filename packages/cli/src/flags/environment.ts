/**
 * Environment variables that stand for flags: `COUNTERSIGN_` and the name of the flag, e.g. `COUNTERSIGN_TRUSTED_ROOT`. Between them may
 * stand for whom it is meant, as in a profile: `COUNTERSIGN_SIGN_KEY`, `COUNTERSIGN_VERIFY_KEY`, `COUNTERSIGN_VERIFY_BLOB_KEY`; the nearest wins.
 *
 * Variables that are no flag (passwords of keys, proxies, registry credentials) are read where they are used.
 */
import { CountersignError } from '@countersign/core/failure'
import type { Layer, LayeredValues } from '../command/flag-values.ts'
import type { Command, Flag } from '../command/model.ts'
import { parseArguments } from '../command/parse.ts'
import { sectionsOf } from '../profile/sections.ts'
import { globalFlags } from './global.ts'
import { namesSigner } from './signer-names.ts'

type Environment = Readonly<Record<string, string | undefined>>

const prefix = 'COUNTERSIGN_'

/** cosign's own names, which stand for flags too. */
const others: Readonly<Record<string, string>> = { 'signature-repository': 'COSIGN_REPOSITORY' }

/**
 * Never read from the environment, because nobody who reads the command would see it: what weakens a check, overwrites, changes what the
 * password of a key means, or shows secrets. A variable is inherited by everything that a shell, a job or a container starts.
 */
const typedOnly =
  /^(?:insecure-.*|allow-.*|accept-weaker|no-state|private-infrastructure|check-claims|base-image-only|force|fix|staging|password|password-stdin|show-sensitive-values|help)$/

/** Whether a flag may also be given by a variable. */
export function readFromEnvironment(flag: Flag): boolean {
  // A `yes` that a profile may not hold confirms that a file is overwritten.
  return flag.alias === undefined && !typedOnly.test(flag.name) && !(flag.name === 'yes' && flag.commandLineOnly === true)
}

/** The variables of a flag of a verb, the nearest first. */
export function variablesOf(flag: Flag, verb: string): readonly string[] {
  const name = upper(flag.name)
  const scoped = sectionsOf(verb)
    .filter((section) => section !== 'all')
    .toReversed()
    .map((section) => `${prefix}${upper(section)}_${name}`)
  const other = others[flag.name]
  return [...new Set([...scoped, plainVariable(flag), ...(other === undefined ? [] : [other])])]
}

/** The variable of a flag for every verb that has it. */
export function plainVariable(flag: Flag): string {
  return `${prefix}${upper(flag.name)}`
}

function upper(name: string): string {
  return name.replaceAll(/[- ]/g, '_').toUpperCase()
}

/**
 * The values that the environment gives to the flags of `command`. A signer that was typed is the only one: variables then name none.
 * Throws `usage` on a malformed value, and on an empty one of a flag that a verification demands something by.
 */
export function environmentLayer(command: Command, given: LayeredValues, environment: Environment): Layer {
  const values = new Map<string, readonly string[]>()
  const places = new Map<string, string>()
  const set = new Set(Object.keys(environment).filter((name) => name.startsWith(prefix) || name.startsWith('COSIGN_')))
  if (set.size === 0) return { values, places }
  const signerTyped = [...given.keys()].some(namesSigner)
  for (const flag of [...command.flags, ...globalFlags]) {
    if (!readFromEnvironment(flag) || (signerTyped && namesSigner(flag.name))) continue
    const variable = variablesOf(flag, command.name).find((name) => set.has(name))
    const text = variable === undefined ? undefined : environment[variable]
    if (variable === undefined || text === undefined || given.has(flag.name)) continue
    if (text === '') refuseEmpty(command, flag, variable)
    else if (signerTyped && flag.name === 'policy') refuseReplacedSigner(variable)
    else {
      values.set(flag.name, valuesIn(flag, variable, text))
      places.set(flag.name, variable)
    }
  }
  return { values, places }
}

/** Empty is unset; but a verification would then demand less than whoever wrote it meant, and nobody would notice. */
function refuseEmpty(command: Command, flag: Flag, variable: string): void {
  if (!sectionsOf(command.name).includes('verify') || flag.idle !== undefined || globalFlags.includes(flag)) return
  throw new CountersignError('usage', `${variable} is set to an empty value`, {
    hint: 'Check where it comes from; to demand nothing by it, unset it.',
  })
}

/** A policy says who may sign: one that is inherited must not stand in for a signer that somebody typed, nor be left out in silence. */
function refuseReplacedSigner(variable: string): void {
  throw new CountersignError('usage', `${variable} names a policy, and a signer was typed beside it`, {
    hint: 'Type the policy too (--policy FILE), or unset the variable to do without it.',
  })
}

/** Of a flag that may be repeated each line is a value. */
function valuesIn(flag: Flag, variable: string, text: string): readonly string[] {
  const texts = flag.kind === 'list' ? text.split('\n').filter((line) => line !== '') : [text]
  try {
    const typed = texts.map((one) => `--${flag.name}=${one}`)
    return parseArguments(typed, [flag]).given.get(flag.name) ?? []
  } catch (cause) {
    if (!(cause instanceof CountersignError) || cause.code !== 'usage') throw cause
    throw new CountersignError('usage', `${variable} has a malformed value`, {
      cause,
      ...(cause.expected === undefined ? {} : { expected: cause.expected }),
      ...(cause.found === undefined ? {} : { found: cause.found }),
      hint: `It stands for --${flag.name}: ${flag.help}.`,
    })
  }
}
