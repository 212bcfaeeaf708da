/**
 * The profile replaces repeated flags: `all`, `sign` (every verb that signs or attests), `verify` (every verb that verifies) and the name of
 * any verb each hold flags by name; `profiles` holds the same again under names, of which `--profile NAME` lays one over the rest. A flag
 * that is typed wins, then one that is a variable of the environment.
 *
 * Hostile: a profile in the working folder may come with a checkout. It therefore cannot weaken a check (`insecure-*`), carry a secret,
 * or replace a signer that was typed, and stderr says that it is in use. Where the account has a profile too, `layers.ts` says which decides.
 */
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { Layer, LayeredValues } from '../command/flag-values.ts'
import type { Command, Flag } from '../command/model.ts'
import { globalFlags } from '../flags/global.ts'
import { namesSigner, trustFlags } from '../flags/signer-names.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { findProfile, type ProfileFile } from './find.ts'
import type { ProfileSetting, ReadFile } from './schema.ts'
import { sectionsOf } from './sections.ts'

const none: Layer = { values: new Map(), places: new Map() }

/**
 * The values that the profile in force gives to the flags of `command`, beside those that were `given` on the command line or by the
 * environment. Throws `usage` with line and column on a malformed profile.
 */
export async function profileLayer(command: Command, given: LayeredValues, terminal: Terminal): Promise<Layer> {
  const file = await profileInForce(given, terminal)
  if (file === undefined) return none
  const { readProfile } = await import('./schema.ts')
  if (file.account === undefined) return layerOfFile(command, given, { file, profile: await readProfile(file) }, terminal)
  const { layeredProfiles } = await import('./layers.ts')
  return layeredProfiles({ command, given, terminal, read: layerOfFile }, file, file.account)
}

function layerOfFile(command: Command, given: LayeredValues, { file, profile }: ReadFile, terminal: Terminal): Layer {
  const { values, places } = layerOf(command, given, file, profile.settings)
  refuseReplacedSigner(given, values, file)
  refuseReplacedTrust(given, values, file)
  const used = [...values.keys()].filter((name) => !given.has(name))
  if (used.length > 0) {
    const name = file.name === undefined || !profile.names.includes(file.name) ? '' : ` (${file.name})`
    terminal.warn(`Using profile ${file.path}${name} for ${used.map((flag) => `--${flag}`).join(', ')}`)
  }
  return { values, places }
}

/** The profile that `--profile`, `COUNTERSIGN_PROFILE` or its usual place names. */
export function profileInForce(given: LayeredValues, terminal: Terminal): Promise<ProfileFile | undefined> {
  const named = given.get('profile')?.at(-1) ?? terminal.environment['COUNTERSIGN_PROFILE']
  return findProfile(named === '' ? undefined : named, terminal.workingFolder, terminal.environment)
}

function layerOf(command: Command, given: LayeredValues, file: ProfileFile, settings: readonly ProfileSetting[]): Layer {
  const values = new Map<string, readonly string[]>()
  const places = new Map<string, string>()
  const flags = [...command.flags, ...globalFlags]
  const speaking = inOrder(settings, sectionsOf(command.name))
  const signers = signersOf(speaking, given)
  for (const setting of speaking) {
    const flag = flags.find((candidate) => candidate.name === setting.flag)
    if (flag === undefined || (namesSigner(flag.name) && !signers.includes(setting))) continue
    values.set(
      flag.name,
      setting.values.map((value) => located(flag, value, file.folder)),
    )
    places.set(flag.name, `${file.path}:${setting.line}`)
  }
  return { values, places }
}

/**
 * Hostile: a policy says who may sign. One that came with a checkout must not stand in for a key or an identity that somebody typed; and to
 * leave it out in silence would demand less than its owner meant.
 */
function refuseReplacedSigner(given: LayeredValues, values: LayeredValues, file: ProfileFile): void {
  const signer = [...given.keys()].find(namesSigner)
  if (!values.has('policy') || given.has('policy') || signer === undefined) return
  throw new CountersignError('usage', `profile ${file.path} names a policy, and --${signer} names a signer beside it`, {
    hint: 'Type the policy too (--policy FILE), or give --profile none to do without it.',
  })
}

/**
 * Hostile: whoever chooses the authorities has every identity certified that somebody types. A profile that nobody named chooses none for them;
 * with a key alone a trusted root only adds a demand.
 */
function refuseReplacedTrust(given: LayeredValues, values: LayeredValues, file: ProfileFile): void {
  const signer = [...given.keys()].find((name) => name === 'policy' || (namesSigner(name) && name !== 'key'))
  const trust = trustFlags.find((name) => values.has(name) && !given.has(name))
  if (file.unasked !== true || signer === undefined || trust === undefined) return
  throw new CountersignError('usage', `profile ${file.path} says --${trust}, and --${signer} was said without it`, {
    hint: `If you trust what lies in this folder, give --profile ${file.path}; else type --${trust} too, or give --profile none.`,
  })
}

/** What speaks to a verb, the particular after the general, and what was asked for by name after what always holds. */
function inOrder(settings: readonly ProfileSetting[], sections: readonly string[]): readonly ProfileSetting[] {
  return [false, true].flatMap((named) =>
    sections.flatMap((section) => settings.filter((one) => one.section === section && (one.profile !== undefined) === named)),
  )
}

/**
 * The settings that say who may have signed: those of one section alone, the nearest that has any; none where somebody was named before, or
 * a policy, for whose keys the profile would otherwise put others under the same names.
 */
function signersOf(speaking: readonly ProfileSetting[], given: LayeredValues): readonly ProfileSetting[] {
  if ([...given.keys()].some((name) => namesSigner(name) || name === 'policy')) return []
  const nearest = speaking.findLast((setting) => namesSigner(setting.flag))
  return nearest === undefined ? [] : speaking.filter((one) => one.section === nearest.section && one.profile === nearest.profile)
}

/** Paths in a profile are relative to the profile. */
function located(flag: Flag, value: string, folder: string): string {
  return flag.path === true && !value.includes('://') && value !== 'public-good' ? resolve(folder, value) : value
}
