/** The schema of a profile, and errors that name line and column. */
import { CountersignError } from '@countersign/core/failure'
import type { Flag } from '../command/model.ts'
import { parseArguments } from '../command/parse.ts'
import { closest } from '../command/suggestion.ts'
import { verbs } from '../command/table.ts'
import { globalFlags } from '../flags/global.ts'
import type { ProfileFile } from './find.ts'

/** One flag in one section of a profile. */
export type ProfileSetting = { readonly section: 'all' | 'sign' | 'verify'; readonly flag: string; readonly values: readonly string[] }

type Fail = (offset: number, what: string, hint: string) => never

/** Parses and checks a profile. Throws `usage` on anything that is not in the schema. */
export async function readProfile(file: ProfileFile): Promise<readonly ProfileSetting[]> {
  const { parseDocument, LineCounter, isMap, isScalar } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(file.text, { lineCounter: lines, uniqueKeys: true, maxAliasCount: 0, customTags: [] } as never)
  const fail: Fail = (offset, what, hint) => {
    const { line, col } = lines.linePos(offset)
    throw new CountersignError('usage', `profile ${file.path}, line ${line}, column ${col}: ${what}`, { hint })
  }
  const [error] = document.errors
  if (error !== undefined) fail(error.pos[0], error.message.split('\n', 1)[0] ?? 'malformed YAML', 'Correct the YAML.')
  if (document.contents === null) return []
  if (!isMap(document.contents)) return fail(0, 'is not a mapping', 'Write the sections all, sign and verify.')
  const settings: ProfileSetting[] = []
  for (const { key, value } of document.contents.items) {
    if (!isScalar(key)) return fail(0, 'has a section without a name', 'Write the sections all, sign and verify.')
    const at = key.range?.[0] ?? 0
    const section = sectionNamed(String(key.value))
    if (section === undefined) return fail(at, `there is no section "${String(key.value)}"`, 'Write the sections all, sign and verify.')
    if (!isMap(value)) return fail(at, `section "${section}" is not a mapping`, 'Write one "flag: value" a line below it.')
    const known = await knownFlags(section)
    for (const item of value.items) {
      if (!isScalar(item.key)) return fail(at, 'has a flag without a name', 'Write one "flag: value" a line.')
      const place = item.key.range?.[0] ?? at
      const flag = checkedFlag(String(item.key.value), known, (what, hint) => fail(place, what, hint))
      settings.push({ section, flag: flag.name, values: checkedValues(flag, item.value, (what, hint) => fail(place, what, hint)) })
    }
  }
  return settings
}

function sectionNamed(name: string): ProfileSetting['section'] | undefined {
  return name === 'all' || name === 'sign' || name === 'verify' ? name : undefined
}

/** The flags of the verbs that a section is for, by name. Where verbs differ, the one that a profile may hold counts. */
async function knownFlags(section: ProfileSetting['section']): Promise<ReadonlyMap<string, Flag>> {
  const commands = await Promise.all(verbs.filter((verb) => section === 'all' || verb.group === section).map((verb) => verb.load()))
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
