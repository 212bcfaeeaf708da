/**
 * What other accounts of the machine may do with the files of an installation. Hostile: a neighbour who can write there chooses keys, database and
 * configuration; one who can read takes the keys with the passphrase beside them.
 */
import { chmod, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { codeOf } from './durable-file.ts'

/** A file or folder that others may read. */
export type Exposure = { readonly path: string; readonly mode: number }

const secretFiles = ['passphrase', 'database.sqlite', 'database.sqlite-wal', 'keys']
const otherFiles = ['installation.json', 'VERSION', 'config.yaml', 'blobs']
const [writableByAll, openToOthers] = [0o002, 0o077]

/**
 * What others may read of an installation's secrets: its folder, those files in it, and a passphrase that is elsewhere. Throws `data_folder_exposed` for
 * what everybody may write, as `ssh` refuses such a folder.
 */
export async function exposuresOf(data: string, passphraseFile?: string): Promise<readonly Exposure[]> {
  const secrets = [data, ...secretFiles.map((name) => join(data, name)), ...(await secretKeys(join(data, 'keys')))]
  const exposed: Exposure[] = []
  for (const path of [...secrets, ...(passphraseFile === undefined ? [] : [passphraseFile])]) {
    const { mode, isOurs } = await accessTo(path)
    if ((mode & writableByAll) !== 0) throw writable(path)
    // What belongs to somebody else, as a mounted secret, is theirs to close.
    if (isOurs && (mode & openToOthers) !== 0) exposed.push({ path, mode })
  }
  for (const name of otherFiles) if (((await accessTo(join(data, name))).mode & writableByAll) !== 0) throw writable(join(data, name))
  return exposed
}

/** One line for all of them; `undefined` for none. */
export function exposureWarning(exposures: readonly Exposure[]): string | undefined {
  if (exposures.length === 0) return undefined
  const paths = exposures.map(({ path }) => path)
  const some = paths.length > 4 ? `${paths.slice(0, 4).join(', ')} and ${paths.length - 4} more` : paths.join(', ')
  return `other accounts of this machine may read ${some}: run "chmod -R go= PATH" for each`
}

/** Before a first start in a folder that was there: closes it to others where it is ours. Throws `data_folder_exposed` where it is not, and all may write. */
export async function closeToOthers(folder: string): Promise<void> {
  if (((await accessTo(folder)).mode & openToOthers) === 0) return
  try {
    await chmod(folder, 0o700)
  } catch (cause) {
    // A mounted volume may belong to somebody else, and be shared with a group of ours.
    if (!['EPERM', 'EROFS', 'ENOTSUP'].includes(codeOf(cause))) throw cause
    if (((await accessTo(folder)).mode & writableByAll) !== 0) throw writable(folder)
  }
}

/** Permission bits; none for what is not there, and where the system has no such thing. */
async function accessTo(path: string): Promise<{ readonly mode: number; readonly isOurs: boolean }> {
  if (process.platform === 'win32') return { mode: 0, isOurs: false }
  try {
    const { mode, uid } = await stat(path)
    return { mode: mode & 0o777, isOurs: uid === process.getuid?.() }
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(cause))) return { mode: 0, isOurs: false }
    throw cause
  }
}

async function secretKeys(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder)
    return names.filter((name) => name.endsWith('.key') || name === 'vault.json').map((name) => join(folder, name))
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(cause))) return []
    throw cause
  }
}

function writable(path: string): CountersignError {
  return new CountersignError('data_folder_exposed', `every account of this machine may write ${path}`, {
    expected: 'an installation that its own account alone may write',
    hint: `See that nobody changed it, then run "chmod go= ${path}".`,
  })
}
