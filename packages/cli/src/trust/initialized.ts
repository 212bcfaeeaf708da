/** The trusted root in the folder that `cosign initialize` fills: `TUF_ROOT/<mirror>/targets/trusted_root.json`. Read only. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { parseJson } from '@countersign/core/json/parse'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { readInput } from '../terminal/input.ts'
import type { SelectedTrust } from './select.ts'

const maxBytes = 8 * 1024 * 1024

/** The trusted root, or `undefined` when nothing was initialized. */
export async function initializedTrust(environment: Readonly<Record<string, string | undefined>>): Promise<SelectedTrust | undefined> {
  const named = environment['TUF_ROOT']
  const home = environment['HOME']
  const folder = named !== undefined && named !== '' ? named : home === undefined ? undefined : join(home, '.sigstore', 'root')
  if (folder === undefined) return undefined
  const path = await findTarget(folder)
  if (path === undefined) return undefined
  const root = parseTrustedRoot(await readInput(path, maxBytes))
  const date = (await stat(path)).mtime.toISOString().slice(0, 10)
  return { root, named: false, report: { source: 'initialized trusted root', name: path, date } }
}

/** `remote.json` names the mirror in use; without it there must be only one. */
async function findTarget(folder: string): Promise<string | undefined> {
  const mirror = await mirrorInUse(folder)
  const names = mirror === undefined ? await folders(folder) : [mirror]
  const paths = await Promise.all(
    ['', ...names].map(async (name) => {
      const path = join(folder, name, 'targets', 'trusted_root.json')
      return (await exists(path)) ? path : undefined
    }),
  )
  const found = paths.filter((path) => path !== undefined)
  if (found.length > 1) {
    throw new CountersignError('trust_missing', `${folder} holds several trusted roots and does not say which is in use`, {
      found: found.join(', '),
      hint: 'Name one with --trusted-root.',
    })
  }
  return found[0]
}

/** sigstore-go's `URLToPath`: the URL without scheme, `/` and `:` as dashes, in lower case. */
async function mirrorInUse(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'remote.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  const value = parseJson(text)
  const mirror = typeof value === 'object' && value !== null && 'mirror' in value ? value['mirror'] : undefined
  if (typeof mirror !== 'string' || mirror === '') return undefined
  const name = mirror
    .replace(/^https?:\/\//, '')
    .replaceAll(/[/:]/g, '-')
    .toLowerCase()
  return name.includes('..') ? undefined : name
}

async function folders(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory() && entry.name !== 'targets')
    .map((entry) => entry.name)
    .slice(0, 100)
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}
