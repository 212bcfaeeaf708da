/**
 * The profile of the working folder over that of the account, when nobody named one.
 *
 * Hostile: the one in the folder may come with a checkout. It adds, and it decides what is convenient; what the account's says of who must
 * have signed, what is demanded and what is trusted stays as it is, or the two contradict each other.
 */
import type { Layer, LayeredValues } from '../command/flag-values.ts'
import type { Command } from '../command/model.ts'
import { verbs } from '../command/table.ts'
import { isDemanding } from '../flags/demanding.ts'
import { namesSigner, trustFlags } from '../flags/signer-names.ts'
import type { Terminal } from '../terminal/terminal.ts'
import type { ProfileFile } from './find.ts'
import { type ReadFile, readProfile } from './schema.ts'

/** What the values are for, and how one profile gives them. */
type Layering = {
  readonly command: Command
  readonly given: LayeredValues
  readonly terminal: Terminal
  readonly read: (command: Command, given: LayeredValues, from: ReadFile, terminal: Terminal) => Layer
}

/** The values of both. Throws `usage` as for one, and where the folder's contradicts what the account's demands. */
export async function layeredProfiles(layering: Layering, folder: ProfileFile, account: ProfileFile): Promise<Layer> {
  const { command, given, terminal, read } = layering
  const [lower, upper] = await bothProfiles(folder, account)
  const below = read(command, given, lower, terminal)
  const signs = verbs.find(({ name }) => name === command.name)?.group === 'sign'
  const firm = new Map([...below.values].filter(([name]) => isDemanding(name, signs) && !given.has(name)))
  const above = read(command, new Map([...given, ...firm]), upper, terminal)
  const settled = (name: string): boolean => firm.has(name) || (trustFlags.includes(name) && trustFlags.some((flag) => firm.has(flag)))
  const passedOver = [...above.values.keys()].filter((name) => settled(name) && !given.has(name))
  if (passedOver.length > 0)
    terminal.warn(`Profile ${folder.path} does not decide ${passedOver.map((flag) => `--${flag}`).join(', ')}: ${account.path} does`)
  // To sign with, all from one place.
  const signer = [...above.values.keys()].some(namesSigner)
  return {
    values: merged(below.values, above.values, (name) => signer && namesSigner(name), settled),
    places: merged(below.places, above.places, (name) => signer && namesSigner(name), settled),
  }
}

type Choice = (name: string) => boolean

function merged<Value>(
  below: ReadonlyMap<string, Value>,
  above: ReadonlyMap<string, Value>,
  replaced: Choice,
  settled: Choice,
): ReadonlyMap<string, Value> {
  return new Map([...[...below].filter(([name]) => !replaced(name)), ...[...above].filter(([name]) => !settled(name))])
}

/** The account's and the folder's. A name that was asked for is in one of them at least; throws `usage` when it is in neither. */
async function bothProfiles(folder: ProfileFile, account: ProfileFile): Promise<readonly [account: ReadFile, folder: ReadFile]> {
  const lower = await readProfile({ ...account, mayLackName: true })
  const named = folder.name !== undefined && lower.names.includes(folder.name)
  const upper = await readProfile(named ? { ...folder, mayLackName: true } : folder)
  return [
    { file: account, profile: lower },
    { file: folder, profile: upper },
  ]
}

/** A profile, and before it the one of the account that it is laid over. Fails as reading each does. */
export async function readProfiles(file: ProfileFile): Promise<readonly ReadFile[]> {
  return file.account === undefined ? [{ file, profile: await readProfile(file) }] : bothProfiles(file, file.account)
}
