/** What may follow on a command line: made from the table of verbs and flags, and from the profile, so that it is never out of date. */
import type { Command, Flag } from '../command/model.ts'
import { verbs } from '../command/table.ts'
import { globalFlags } from '../flags/global.ts'

/** One thing that may be typed: the whole word, and what it is. */
type Offer = { readonly word: string; readonly about: string }

/** What may be typed, and whether names of files may too. */
export type Completion = { readonly candidates: readonly Offer[]; readonly files: boolean }

/** What comes from elsewhere; asked for only where it is of use. */
export type Known = { readonly images: () => Promise<readonly string[]>; readonly profiles: () => Promise<readonly string[]> }

const nothing: Completion = { candidates: [], files: false }

/** What may stand in place of the last of `words`; the words before it are as typed behind `countersign`. */
export async function completionOf(words: readonly string[], known: Known): Promise<Completion> {
  const current = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const typed = before[0] === 'help' ? before.slice(1) : withoutFlags(before)
  const verb = verbs.find(({ name }) => name === typed.slice(0, 2).join(' ')) ?? verbs.find(({ name }) => name === typed[0])
  const only = (completion: Completion): Completion => startingWith(completion, current)
  if (verb === undefined) {
    const value = await valueOf(globalFlags, before.at(-1), current, known)
    if (value !== undefined) return only(value)
    return only({ candidates: current.startsWith('-') ? flagWords(globalFlags) : nextWords(typed), files: false })
  }
  if (before.includes('--')) return only(await subjectsOf(verb.name, '', current, known))
  const command = await verb.load()
  const flags = [...command.flags, ...globalFlags]
  const value = await valueOf(flags, before.at(-1), current, known)
  if (value !== undefined) return only(value)
  if (current.startsWith('-')) return only({ candidates: flagWords(flags), files: false })
  return only(await subjectsOf(verb.name, subjectsText(command), current, known))
}

function subjectsText({ subjects }: Command): string {
  return subjects
}

function startingWith({ candidates, files }: Completion, current: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(current)), files }
}

/** The words that are no flags of the start: `-t 3s verify` begins with `verify`. */
function withoutFlags(words: readonly string[]): readonly string[] {
  let at = 0
  while (at < words.length && words[at]?.startsWith('-') === true) at += takesNext(words[at] as string, globalFlags) ? 2 : 1
  return words.slice(at)
}

function takesNext(word: string, flags: readonly Flag[]): boolean {
  if (word.includes('=')) return false
  return flags.some((flag) => flag.kind !== 'boolean' && (word === `--${flag.name}` || word === `-${flag.short ?? ''}`))
}

/** First words, or what stands behind the first word of a group. */
function nextWords([first]: readonly string[]): readonly Offer[] {
  const group = verbs.filter(({ name }) => name.startsWith(`${first} `))
  if (first !== undefined) return group.map(({ name, summary }) => ({ word: name.slice(first.length + 1), about: summary }))
  const words = new Map<string, string>()
  for (const { name, summary } of verbs) {
    const [word = '', second] = name.split(' ')
    if (second === undefined) words.set(word, summary)
    else if (!words.has(word))
      words.set(word, verbs.flatMap((other) => (other.name.startsWith(`${word} `) ? [other.name.slice(word.length + 1)] : [])).join(', '))
  }
  return [...words].map(([word, about]) => ({ word, about }))
}

function flagWords(flags: readonly Flag[]): readonly Offer[] {
  return flags.flatMap((flag) => (flag.hidden === true || flag.alias !== undefined ? [] : [{ word: `--${flag.name}`, about: flag.help }]))
}

/** Values of a flag, behind `--flag ` or `--flag=`; `undefined` where no value is wanted. */
async function valueOf(
  flags: readonly Flag[],
  previous: string | undefined,
  current: string,
  known: Known,
): Promise<Completion | undefined> {
  const equals = current.startsWith('--') ? current.indexOf('=') : -1
  const name = equals > 0 ? current.slice(2, equals) : undefined
  const flag = flags.find((one) => (name === undefined ? takesNext(previous ?? '', [one]) : one.name === name))
  if (flag === undefined) return undefined
  const prefix = name === undefined ? '' : `--${name}=`
  const words = await valuesOf(flag, known)
  const candidates = words.map((word) => ({ word: `${prefix}${word}`, about: '' }))
  return { candidates, files: takesFile(flag) }
}

async function valuesOf(flag: Flag, known: Known): Promise<readonly string[]> {
  if (flag.name === 'profile') return ['none', ...(await known.profiles())]
  if (flag.choices !== undefined) return flag.choices
  return flag.kind === 'boolean' ? ['true', 'false'] : []
}

function takesFile({ path, value }: Flag): boolean {
  return path === true || /FILE|DIR|KEY|FOLDER/.test(value ?? '')
}

const shells: readonly Offer[] = ['bash', 'zsh', 'fish'].map((word) => ({ word, about: '' }))

/** What a verb is about, told by how its help calls it. */
async function subjectsOf(verb: string, subjects: string, current: string, known: Known): Promise<Completion> {
  if (verb === 'completion') return { candidates: shells, files: false }
  if (verb === 'config view') return { candidates: verbs.map(({ name, summary }) => ({ word: name, about: summary })), files: false }
  const images = /IMAGE|SOURCE|DESTINATION/.test(subjects) || subjects === ''
  const files = /FILE|DIR|ARCHIVE/.test(subjects) || /^oci(?:-archive)?:/.test(current) || subjects === ''
  if (!images) return { ...nothing, files }
  const places = ['oci:', 'oci-archive:'].map((word) => ({ word, about: 'a layout folder or archive' }))
  const named = (await known.images()).map((word) => ({ word, about: 'from the profile' }))
  return { candidates: [...named, ...places], files }
}
