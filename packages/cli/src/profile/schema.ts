/** The schema of a profile, and errors that name line and column. */
import type * as Parser from 'yaml'
import { CountersignError } from '@countersign/core/failure'
import type { Flag } from '../command/model.ts'
import { parseArguments } from '../command/parse.ts'
import { closest } from '@countersign/core/json/nearest-name'
import { verbs } from '../command/table.ts'
import { globalFlags } from '../flags/global.ts'
import type { ProfileFile } from './find.ts'
import { allSections, sectionsOf } from './sections.ts'

/** One flag in one section of a profile. */
export type ProfileSetting = {
  readonly section: string
  /** The name under `profiles` that it stands under; absent for what always holds. */
  readonly profile?: string
  readonly flag: string
  readonly values: readonly string[]
  /** From 1. */
  readonly line: number
}

/** A profile as read: what holds with the name that was asked for, and what else there is. */
export type Profile = {
  readonly settings: readonly ProfileSetting[]
  /** The names under `profiles`. */
  readonly names: readonly string[]
  /** Images that a shell offers to complete. */
  readonly images: readonly string[]
}

/** A profile, and what is in it. */
export type ReadFile = { readonly file: ProfileFile; readonly profile: Profile }

type Fail = (offset: number, what: string, hint: string) => never

/** What a mapping of the document is read with. */
type Reading = { readonly fail: Fail; readonly line: (offset: number) => number; readonly yaml: Yaml }
type Yaml = typeof Parser
type Entry = { readonly name: string; readonly at: number; readonly value: unknown }

const maxImages = 200
const maxNames = 100
const sectionsHint = 'Write the sections all, sign and verify, or the name of a verb.'

/** Parses and checks a profile, all names in it too. Throws `usage` on anything that is not in the schema, and on a name that is not there. */
export async function readProfile(file: ProfileFile): Promise<Profile> {
  const yaml = await import('yaml')
  const lines = new yaml.LineCounter()
  const document = yaml.parseDocument(file.text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 0, customTags: [] } as never)
  const fail: Fail = (offset, what, hint) => {
    const { line, col } = lines.linePos(offset)
    throw new CountersignError('usage', `profile ${file.path}, line ${line}, column ${col}: ${what}`, { hint })
  }
  const [error] = document.errors
  if (error !== undefined) fail(error.pos[0], error.message.split('\n', 1)[0] ?? 'malformed YAML', 'Correct the YAML.')
  const reading: Reading = { fail, line: (offset) => lines.linePos(offset).line, yaml }
  const whole = document.contents === null ? [] : entriesOf(reading, document.contents, 0, 'the profile', sectionsHint)
  const named = whole.filter((entry) => entry.name === 'profiles').flatMap((entry) => namedIn(reading, entry))
  const always = await settingsOf(
    reading,
    whole.filter((entry) => entry.name !== 'profiles' && entry.name !== 'images'),
  )
  const settings: ProfileSetting[] = [...always]
  for (const { name, value, at } of named) {
    const own = await settingsOf(reading, entriesOf(reading, value, at, `profile "${name}"`, sectionsHint))
    if (name === file.name) settings.push(...own.map((setting) => ({ ...setting, profile: name })))
  }
  const names = named.map((entry) => entry.name)
  if (file.name !== undefined && file.mayLackName !== true && !names.includes(file.name)) throw noSuchName(file, names)
  return { settings, names, images: whole.filter((entry) => entry.name === 'images').flatMap((entry) => imagesIn(reading, entry)) }
}

function noSuchName(file: ProfileFile, names: readonly string[]): CountersignError {
  return new CountersignError('usage', `profile ${file.path} has no "${(file.name ?? '').slice(0, 100)}"`, {
    expected: names.length === 0 ? 'a section "profiles"' : names.join(', '),
    hint: 'Name one of its profiles, or a file with a dot or a slash in its name.',
  })
}

/** The members of a mapping, each with the offset of its name. */
function entriesOf({ fail, yaml }: Reading, node: unknown, at: number, what: string, hint: string): readonly Entry[] {
  if (!yaml.isMap(node)) return fail(at, `${what} is not a mapping`, hint)
  return node.items.map(({ key, value }) => {
    if (!yaml.isScalar(key)) return fail(at, `${what} has a member without a name`, hint)
    return { name: String(key.value), at: key.range?.[0] ?? at, value }
  })
}

function namedIn(reading: Reading, entry: Entry): readonly Entry[] {
  const hint = 'Write one "name:" a line below it, and the sections of each below that.'
  const named = entriesOf(reading, entry.value, entry.at, '"profiles"', hint)
  for (const { name, at } of named) {
    if (!/^[\w-]{1,64}$/.test(name) || name === 'none')
      reading.fail(at, `"${name.slice(0, 64)}" is no name of a profile`, 'Use letters, digits, "-" and "_".')
  }
  return named.length > maxNames ? reading.fail(entry.at, `there are more than ${maxNames} profiles`, 'Make several files.') : named
}

/** Hostile: a shell puts these names into a command line, so they hold nothing that means something to a shell. */
function imagesIn({ fail, yaml }: Reading, { value, at }: Entry): readonly string[] {
  const hint = 'Write a list of image names.'
  if (!yaml.isSeq(value)) return fail(at, '"images" is not a list', hint)
  if (value.items.length > maxImages) fail(at, `"images" has more than ${maxImages} members`, 'Keep those that you type.')
  return value.items.map((item) => {
    const text: unknown = yaml.isScalar(item) ? item.value : undefined
    return typeof text === 'string' && /^[\w.:@/-]{1,300}$/.test(text)
      ? text
      : fail(at, '"images" has a member that is no name of an image', hint)
  })
}

async function settingsOf({ fail, ...reading }: Reading, sections: readonly Entry[]): Promise<readonly ProfileSetting[]> {
  const settings: ProfileSetting[] = []
  for (const { name: section, at, value } of sections) {
    if (!allSections().includes(section)) fail(at, `there is no section "${section.slice(0, 100)}"`, sectionsHint)
    const known = await knownFlags(section)
    for (const item of entriesOf({ fail, ...reading }, value, at, `section "${section}"`, 'Write one "flag: value" a line below it.')) {
      const flag = checkedFlag(item.name, known, (what, hint) => fail(item.at, what, hint))
      const values = checkedValues(flag, item.value, (what, hint) => fail(item.at, what, hint))
      settings.push({ section, flag: flag.name, values, line: reading.line(item.at) })
    }
  }
  return settings
}

/** The flags of the verbs that a section is for, by name. Where verbs differ, the one that a profile may hold counts. */
async function knownFlags(section: string): Promise<ReadonlyMap<string, Flag>> {
  const commands = await Promise.all(verbs.filter((verb) => sectionsOf(verb.name).includes(section)).map((verb) => verb.load()))
  const known = new Map<string, Flag>()
  for (const flag of [...globalFlags, ...commands.flatMap((command) => command.flags)]) {
    if (flag.alias !== undefined) continue
    if (known.get(flag.name)?.commandLineOnly !== undefined || !known.has(flag.name)) known.set(flag.name, flag)
  }
  return known
}

function checkedFlag(name: string, known: ReadonlyMap<string, Flag>, fail: (what: string, hint: string) => never): Flag {
  const flag = known.get(name)
  if (flag === undefined) {
    const near = closest(name, [...known.keys()])
    return fail(`there is no flag "${name}"`, near === undefined ? 'Use the names of flags without dashes.' : `Did you mean "${near}"?`)
  }
  if (flag.refused !== undefined) return fail(`"${name}" is not supported`, flag.refused.hint)
  if (flag.commandLineOnly === true) return fail(`"${name}" is not allowed in a profile`, `Give --${name} on the command line.`)
  return flag
}

/** Values as texts, checked as if they had been typed. */
function checkedValues(flag: Flag, node: unknown, fail: (what: string, hint: string) => never): readonly string[] {
  const plain: unknown =
    typeof node === 'object' && node !== null && 'toJSON' in node && typeof node.toJSON === 'function' ? node.toJSON() : node
  const many = flag.kind === 'list' || flag.kind === 'csv'
  const values: readonly unknown[] = many && Array.isArray(plain) ? plain : [plain]
  const texts: string[] = []
  for (const value of values) {
    if (typeof value !== 'string' && typeof value !== 'boolean' && typeof value !== 'number') {
      return fail(`"${flag.name}" has a value of the wrong type`, many ? 'Write a text or a list of texts.' : 'Write one value.')
    }
    texts.push(String(value))
  }
  try {
    parseArguments(
      texts.map((text) => `--${flag.name}=${text}`),
      [flag],
    )
  } catch (cause) {
    return fail(
      `"${flag.name}" has a malformed value`,
      cause instanceof CountersignError && cause.expected !== undefined ? `Write ${cause.expected}.` : 'Correct the value.',
    )
  }
  return texts
}
