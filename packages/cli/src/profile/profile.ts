/**
 * The profile replaces repeated flags: `all`, `sign` (every verb that signs or attests) and `verify` (every verb that verifies)
 * each hold flags by name. A flag that is typed wins.
 *
 * Hostile: a profile in the working folder may come with a checkout. It therefore cannot weaken a check (`insecure-*`), carry a secret,
 * or replace a signer that was typed, and stderr says that it is in use.
 */
import { resolve } from 'node:path'
import type { LayeredValues } from '../command/flag-values.ts'
import type { Command, Flag } from '../command/model.ts'
import type { ParsedArguments } from '../command/parse.ts'
import { globalFlags } from '../flags/global.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { findProfile } from './find.ts'
import type { ProfileSetting } from './schema.ts'

const signing = new Set(['sign', 'attest', 'sign-blob', 'attest-blob'])
const verifying = new Set(['verify', 'verify-attestation', 'verify-blob', 'verify-blob-attestation'])
const none: LayeredValues = new Map()

/** The values that the profile in force gives to the flags of `command`. Throws `usage` with line and column on a malformed profile. */
export async function profileValues(command: Command, parsed: ParsedArguments, terminal: Terminal): Promise<LayeredValues> {
  const named = parsed.given.get('profile')?.at(-1) ?? terminal.environment['COUNTERSIGN_PROFILE']
  const file = await findProfile(named === '' ? undefined : named, terminal.workingFolder, terminal.environment)
  if (file === undefined) return none
  const { readProfile } = await import('./schema.ts')
  const settings = await readProfile(file)
  const values = new Map<string, readonly string[]>()
  const typedSigner = [...parsed.given.keys()].some(namesSigner)
  for (const setting of sectionsOf(command.name).flatMap((section) => settings.filter((candidate) => candidate.section === section))) {
    const flag = [...command.flags, ...globalFlags].find((candidate) => candidate.name === setting.flag)
    if (flag === undefined || (typedSigner && namesSigner(flag.name))) continue
    values.set(
      flag.name,
      setting.values.map((value) => located(flag, value, file.folder)),
    )
  }
  const used = [...values.keys()].filter((name) => !parsed.given.has(name))
  if (used.length > 0) terminal.warn(`Using profile ${file.path} for ${used.map((name) => `--${name}`).join(', ')}`)
  return values
}

/** The general section first, so that the particular one wins. */
function sectionsOf(name: string): readonly ProfileSetting['section'][] {
  if (signing.has(name)) return ['all', 'sign']
  if (verifying.has(name)) return ['all', 'verify']
  return ['all']
}

/** Flags that together say who may have signed: taken all from one place or not at all. */
function namesSigner(name: string): boolean {
  return name === 'key' || name.startsWith('certificate-')
}

/** Paths in a profile are relative to the profile. */
function located(flag: Flag, value: string, folder: string): string {
  return flag.path === true && !value.includes('://') && value !== 'public-good' ? resolve(folder, value) : value
}
