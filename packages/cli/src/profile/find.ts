/** Finds the profile: the one that was named, the one of the working folder, and the one of the account. */
import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { systemCode } from '@countersign/sdk/file-failure'

/** A profile as found. */
export type ProfileFile = {
  readonly path: string
  readonly folder: string
  readonly text: string
  /** Nobody named it: it lies in the working folder. */
  readonly unasked?: true
  /** The part of it that was asked for by name. */
  readonly name?: string
  /** The part of that name may be in another profile alone. */
  readonly mayLackName?: true
  /** The profile of the account below this one, which nobody named either. */
  readonly account?: ProfileFile
}

const maxBytes = 65_536

/**
 * Reads the profile, with that of the account below the one of the working folder; `undefined` when there is none or `none` was asked for. `named` is a file, a name in the profile that is found anyway,
 * or `FILE#NAME`. What was asked for must exist.
 */
export async function findProfile(
  named: string | undefined,
  workingFolder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ProfileFile | undefined> {
  if (named === 'none') return undefined
  const [file, name] = asked(named, workingFolder)
  const withName = name === undefined ? {} : { name }
  if (file !== undefined) {
    const found = await read(resolve(workingFolder, file))
    if (found === undefined)
      throw new CountersignError('file_not_found', `profile ${file} does not exist`, { hint: 'Check the path of --profile.' })
    return { ...found, ...withName }
  }
  const found = await usual(workingFolder, environment)
  if (found !== undefined)
    return { ...found, ...withName, ...(found.account === undefined ? {} : { account: { ...found.account, ...withName } }) }
  if (name === undefined) return undefined
  throw new CountersignError('file_not_found', `there is no profile to look up "${name.slice(0, 100)}" in`, {
    expected: 'countersign.yaml, or countersign/config.yaml in the folder of your configuration',
    hint: 'Name a file with --profile FILE or FILE#NAME.',
  })
}

/** The file and the name that were asked for. A name has neither slash nor dot, so that a file never turns into one. */
function asked(named: string | undefined, workingFolder: string): readonly [file: string | undefined, name: string | undefined] {
  if (named === undefined) return [undefined, undefined]
  const hash = named.lastIndexOf('#')
  if (hash > 0) return [named.slice(0, hash), named.slice(hash + 1)]
  const name = hash === 0 ? named.slice(1) : named
  if (hash === 0 || (/^[\w-]+$/.test(name) && statSync(resolve(workingFolder, name), { throwIfNoEntry: false })?.isFile() !== true))
    return [undefined, name]
  return [named, undefined]
}

/** Hostile: a file in a checkout, be it empty, in the place of what the owner of the account demands everywhere. Both are read. */
async function usual(workingFolder: string, environment: Readonly<Record<string, string | undefined>>): Promise<ProfileFile | undefined> {
  const home = environment['XDG_CONFIG_HOME'] ?? (environment['HOME'] === undefined ? undefined : join(environment['HOME'], '.config'))
  const here = await read(join(workingFolder, 'countersign.yaml'))
  const account = home === undefined || home === '' ? undefined : await read(join(home, 'countersign', 'config.yaml'))
  if (here === undefined) return account
  return { ...here, unasked: true, ...(account === undefined ? {} : { account }) }
}

async function read(path: string): Promise<ProfileFile | undefined> {
  let bytes: Buffer
  try {
    // Most often there is none, which is cheaper to find out like this.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    bytes = await readFile(path)
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new CountersignError('io_failed', `profile ${path} cannot be read`, {
      cause,
      hint: 'Check its permissions, or give --profile none.',
    })
  }
  if (bytes.length > maxBytes) {
    throw new CountersignError('usage', `profile ${path} is too large`, { expected: `at most ${maxBytes} bytes`, found: `${bytes.length}` })
  }
  return { path, folder: dirname(path), text: bytes.toString('utf8') }
}
