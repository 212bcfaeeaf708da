/** Reads a command line as cobra does, whose flags ours are: `--flag=false`, `--flag value`, `-yr`, `-ofile`, `--`. */
import { CountersignError, unreachable } from '@countersign/core/failure'
import type { Flag } from './model.ts'
import { closest } from '@countersign/core/json/nearest-name'

/** What was typed: every flag with its values in order, and the rest. */
export type ParsedArguments = {
  /** By the flag's real name; aliases are resolved. */
  readonly given: ReadonlyMap<string, readonly string[]>
  /** As typed, for messages about deprecated spellings. */
  readonly spelled: ReadonlySet<string>
  readonly subjects: readonly string[]
}

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const falsehoods = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])

/** Parses `argv` against `flags`. Throws `usage` on an unknown flag, a missing or a malformed value. */
export function parseArguments(argv: readonly string[], flags: readonly Flag[]): ParsedArguments {
  const given = new Map<string, string[]>()
  const spelled = new Set<string>()
  const subjects: string[] = []
  const record = (flag: Flag, value: string): void => {
    spelled.add(flag.name)
    const name = flag.alias ?? flag.name
    const values = given.get(name) ?? []
    values.push(...checked(flag, value))
    given.set(name, values)
  }
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string
    if (word === '--') {
      subjects.push(...argv.slice(at + 1))
      break
    }
    if (word === '-' || !word.startsWith('-')) subjects.push(word)
    else if (word.startsWith('--')) at += readLong(word, argv[at + 1], flags, record)
    else at += readShort(word, argv[at + 1], flags, record)
  }
  return { given, spelled, subjects }
}

type Record = (flag: Flag, value: string) => void

/** Reads `--name`, `--name=value` or `--name value`; answers how many further words it took. */
function readLong(word: string, next: string | undefined, flags: readonly Flag[], record: Record): number {
  const equals = word.indexOf('=')
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
  const flag = flags.find((candidate) => candidate.name === name)
  if (flag === undefined) throw unknownFlag(`--${name}`, flags)
  if (equals >= 0) record(flag, word.slice(equals + 1))
  else if (flag.kind === 'boolean') {
    if (next === 'true' || next === 'false') throw detachedTruth(flag, next)
    record(flag, 'true')
  } else if (flag.bare !== undefined) record(flag, flag.bare)
  else if (next === undefined) throw missingValue(flag)
  else {
    record(flag, next)
    return 1
  }
  return 0
}

/** Reads `-y`, `-yr`, `-o=file`, `-ofile` or `-o file`; answers how many further words it took. */
function readShort(word: string, next: string | undefined, flags: readonly Flag[], record: Record): number {
  for (let at = 1; at < word.length; at++) {
    const flag = flags.find((candidate) => candidate.short === word[at])
    if (flag === undefined) throw unknownFlag(`-${word[at]}`, flags)
    const rest = word.slice(at + 1)
    if (rest.startsWith('=')) {
      record(flag, rest.slice(1))
      return 0
    }
    if (flag.kind === 'boolean') record(flag, 'true')
    else if (rest !== '') {
      record(flag, rest)
      return 0
    } else if (next === undefined) throw missingValue(flag)
    else {
      record(flag, next)
      return 1
    }
  }
  return 0
}

/** Checks one value; a comma-separated one becomes several. */
function checked(flag: Flag, value: string): readonly string[] {
  switch (flag.kind) {
    case 'boolean':
      if (truths.has(value)) return ['true']
      if (falsehoods.has(value)) return ['false']
      throw malformed(flag, value, 'true or false')
    case 'number':
      if (!/^(?:0|[1-9][0-9]{0,8})$/.test(value)) throw malformed(flag, value, 'a whole number')
      return [value]
    case 'duration':
      if (!/^(?:[0-9]{1,9}(?:\.[0-9]{1,6})?(?:h|ms|m|s))+$|^0$/.test(value)) throw malformed(flag, value, 'a duration such as 90s or 3m0s')
      return [value]
    case 'csv':
      return splitCommas(value)
    case 'text':
    case 'list':
      return [value]
    default:
      return unreachable(flag.kind)
  }
}

/** Fields between commas; a field in double quotes keeps its commas (RFC 4180), as in cosign's `-a`. */
function splitCommas(value: string): readonly string[] {
  const fields: string[] = []
  let at = 0
  while (at <= value.length) {
    const close = value[at] === '"' ? value.indexOf('"', at + 1) : -1
    const comma = value.indexOf(',', close < 0 ? at : close)
    const end = comma < 0 ? value.length : comma
    fields.push(close < 0 ? value.slice(at, end) : value.slice(at + 1, close))
    at = end + 1
  }
  return fields
}

/** Milliseconds of a duration that {@link parseArguments} accepted, e.g. `3m0s`. */
export function durationMs(text: string): number {
  const unit: Readonly<{ [unit: string]: number }> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
  let sum = 0
  for (const [, count, name] of text.matchAll(/([0-9.]+)(h|ms|m|s)/g)) sum += Number(count) * (unit[name ?? ''] ?? 0)
  return sum
}

function unknownFlag(typed: string, flags: readonly Flag[]): CountersignError {
  const names = flags.filter((flag) => flag.hidden !== true).map((flag) => `--${flag.name}`)
  const near = typed.startsWith('--') ? closest(typed, names) : undefined
  return new CountersignError('usage', `unknown flag ${typed}`, {
    hint: near === undefined ? 'Run the command with --help to see its flags.' : `Did you mean ${near}?`,
  })
}

function missingValue(flag: Flag): CountersignError {
  return new CountersignError('usage', `flag --${flag.name} needs a value`, {
    hint: `Write --${flag.name}=${flag.value ?? 'VALUE'}.`,
  })
}

/** `--upload false` would mean `--upload=true` and an image called "false": the opposite of what was meant. */
function detachedTruth(flag: Flag, next: string): CountersignError {
  return new CountersignError('usage', `--${flag.name} takes its value after "=", and "${next}" would be read as a name`, {
    hint: `Write --${flag.name}=${next}.`,
  })
}

function malformed(flag: Flag, value: string, expected: string): CountersignError {
  return new CountersignError('usage', `flag --${flag.name} has a malformed value`, {
    expected,
    found: JSON.stringify(value.slice(0, 100)),
    hint: `Write --${flag.name}=${flag.value ?? 'VALUE'}.`,
  })
}
