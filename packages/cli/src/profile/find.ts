/** Finds the profile: the one that was named, the one of the working folder, or the one of the account. */
import { statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'

/** A profile as found. */
export type ProfileFile = { readonly path: string; readonly folder: string; readonly text: string }

const maxBytes = 65_536

/** Reads the profile; `undefined` when there is none or `none` was asked for. A named profile must exist. */
export async function findProfile(
  named: string | undefined,
  workingFolder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ProfileFile | undefined> {
  if (named === 'none') return undefined
  if (named !== undefined) {
    const found = await read(resolve(workingFolder, named))
    if (found === undefined)
      throw new CountersignError('file_not_found', `profile ${named} does not exist`, { hint: 'Check the path of --profile.' })
    return found
  }
  const home = environment['XDG_CONFIG_HOME'] ?? (environment['HOME'] === undefined ? undefined : join(environment['HOME'], '.config'))
  const here = await read(join(workingFolder, 'countersign.yaml'))
  if (here !== undefined || home === undefined || home === '') return here
  return read(join(home, 'countersign', 'config.yaml'))
}

async function read(path: string): Promise<ProfileFile | undefined> {
  let bytes: Buffer
  try {
    // Most often there is none, which is cheaper to find out like this.
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined
    bytes = await readFile(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return undefined
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
