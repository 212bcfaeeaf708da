/**
 * The folder of one installation: what it is (`installation.json`), in which version of the layout (`VERSION`), and whether its first start came
 * to its end. `VERSION` is written last: a folder without it is one where nothing was confirmed to anybody.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { count, documentPlace, members, nonEmptyText } from '@countersign/core/json/shape'
import { codeOf, createFile, makeFolder, readFileIfThere } from './durable-file.ts'

/** The layout that this program writes. */
const layoutVersion = 1

/** What an installation is, from its first start on. */
export type Installation = {
  /** 32 hex digits; the database has them too, so that neither can be exchanged unnoticed. */
  readonly id: string
  /** Unix milliseconds. */
  readonly createdAt: number
  /** Issuer, origins of logs and addresses in the trusted root come from it. */
  readonly publicUrl: string
  /** `HOST:PORT` of the first start: the default of later ones. */
  readonly listen: string
}

/** What is in a folder: nothing, a first start that was interrupted, or an installation. */
export type FolderState =
  | { readonly kind: 'empty' }
  | { readonly kind: 'begun'; readonly installation: Installation }
  | { readonly kind: 'complete'; readonly installation: Installation }

const files = { version: 'VERSION', installation: 'installation.json' }

/** What may be in a folder that counts as empty: our lock, and what a mounted volume brings. */
const negligible = new Set(['countersign.lock', 'countersign.lock-journal', 'lost+found', 'config.yaml'])

/**
 * Looks at a folder. Throws `data_folder_newer` for a layout of a later version, `data_folder_damaged` naming what is missing or malformed,
 * `data_folder_occupied` for a folder that holds something else.
 */
export async function inspectFolder(folder: string): Promise<FolderState> {
  const version = await readFileIfThere(join(folder, files.version))
  const described = await readFileIfThere(join(folder, files.installation))
  if (version !== undefined) checkVersion(folder, version)
  if (described !== undefined) {
    const installation = readInstallation(join(folder, files.installation), described)
    return { kind: version === undefined ? 'begun' : 'complete', installation }
  }
  if (version !== undefined) throw missing(join(folder, files.installation))
  const others = (await namesIn(folder)).filter((name) => !negligible.has(name) && !/^\.installation\.json\..*\.new$/.test(name))
  if (others.length === 0) return { kind: 'empty' }
  // Keys or a database without a description are an installation that lost it, never a place for a new one.
  if (others.some((name) => ['keys', 'blobs', 'database.sqlite', 'passphrase'].includes(name)))
    throw missing(join(folder, files.installation))
  throw new CountersignError('data_folder_occupied', `${folder} is not empty and holds no installation`, {
    expected: 'an absent or empty folder, or one of an installation',
    found: others.slice(0, 5).join(', '),
    hint: 'Name another folder with --data.',
  })
}

/** Step 1 of a first start: says what the installation will be. From here on only the same first start goes on in this folder. */
export async function beginInstallation(folder: string, installation: Installation): Promise<void> {
  const { id, createdAt, publicUrl, listen } = installation
  await makeFolder(folder)
  const text = `${JSON.stringify({ id, createdAt, publicUrl, listen }, undefined, 2)}\n`
  if (!(await createFile(join(folder, files.installation), text, 0o600))) {
    throw new CountersignError('data_folder_locked', `another process began a first start in ${folder}`)
  }
}

/** The last step of a first start: everything is there, and an absence is an error from now on. */
export async function completeInstallation(folder: string): Promise<void> {
  await createFile(join(folder, files.version), `${layoutVersion}\n`, 0o600)
}

/** Throws `data_folder_damaged` for the first of these parts of an installation that is not there. */
export async function demandParts(folder: string, parts: readonly string[]): Promise<void> {
  const names = new Set(await namesIn(folder))
  for (const part of parts) if (!names.has(part)) throw missing(join(folder, part))
}

function checkVersion(folder: string, bytes: Uint8Array): void {
  const path = join(folder, files.version)
  const match = /^([0-9]{1,6})\n?$/.exec(Buffer.from(bytes).toString('latin1'))
  if (match === null) throw new CountersignError('data_folder_damaged', `${path} holds no version`, { hint: restore })
  const version = Number(match[1])
  if (version === layoutVersion) return
  throw new CountersignError('data_folder_newer', `${folder} has version ${version} of the layout`, {
    expected: `version ${layoutVersion}`,
    hint: 'It was written by another version of countersign: use that one or a later one.',
  })
}

function readInstallation(path: string, bytes: Uint8Array): Installation {
  try {
    const field = members(documentPlace(parseJson(fromUtf8(bytes), { maxBytes: 16_384 }), 'data_folder_damaged'), [
      'id',
      'createdAt',
      'publicUrl',
      'listen',
    ])
    const [id, publicUrl, listen] = [nonEmptyText(field('id')), nonEmptyText(field('publicUrl')), nonEmptyText(field('listen'))]
    return { id, createdAt: count(field('createdAt')), publicUrl, listen }
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('data_folder_damaged', `${path} is damaged: ${cause.message}`, { cause, hint: restore })
  }
}

const restore = 'Restore it from a backup of this folder.'

function missing(path: string): CountersignError {
  return new CountersignError('data_folder_damaged', `${path} is missing`, { hint: `${restore} A new one is not made in its place.` })
}

/** An absent folder has no names. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return []
    throw new CountersignError('io_failed', `${folder} cannot be read (${codeOf(cause)})`, { cause })
  }
}
