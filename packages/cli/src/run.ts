/** From a command line to an exit code: finds the verb, reads its flags, runs its body, writes the report. */
import { statSync } from 'node:fs'
import { CountersignError, outcomeOf } from '@countersign/core/failure'
import { type FlagValues, flagValues, type Layer } from './command/flag-values.ts'
import type { Command, Verb } from './command/model.ts'
import { type ParsedArguments, parseArguments } from './command/parse.ts'
import { closest } from '@countersign/core/json/nearest-name'
import { verbs } from './command/table.ts'
import { exitCodeOf } from './failure/exit-code.ts'
import { asFailure, causeChain, failureMessage, failureText } from './failure/message.ts'
import { environmentLayer } from './flags/environment.ts'
import { globalFlags } from './flags/global.ts'
import { checkVariables, noticeIdleFlags, refuseEmptyDemands, refuseFlags } from './flags/idle.ts'
import { type Conclusion, conclusionOutcome } from './report/conclusion.ts'
import { type ReportTarget, reportTarget, reportTargets } from './report/target.ts'
import { profileLayer } from './profile/profile.ts'
import { standardStream } from './terminal/streams.ts'
import { processTerminal, type Terminal, withoutWarnings } from './terminal/terminal.ts'

/** Runs one command line; answers the exit code. Throws only what stands before any verb: an unknown verb or flag. */
export async function run(argv: readonly string[]): Promise<number> {
  if (argv[0] === '__complete') return (await import('./complete/complete.ts')).complete(argv.slice(1))
  const { words, rest, help } = splitVerb(argv)
  if (words.length === 0) {
    const { helpOfAll } = await import('./command/help.ts')
    if (rest.includes('--version')) return run(['version'])
    standardStream('stdout').write(helpOfAll(verbs))
    return 0
  }
  const verb = verbs.find((candidate) => candidate.name === words.join(' '))
  if (verb === undefined) return groupOrUnknown(words, help)
  const command = await verb.load()
  if (help) {
    const { helpOf } = await import('./command/help.ts')
    standardStream('stdout').write(helpOf(command))
    return 0
  }
  return runVerb(command, rest)
}

/** Separates the verb from what comes before and after it. */
function splitVerb(argv: readonly string[]): {
  readonly words: readonly string[]
  readonly rest: readonly string[]
  readonly help: boolean
} {
  const end = argv.indexOf('--')
  const before = end < 0 ? argv : argv.slice(0, end)
  let help = before.some((word) => word === '-h' || word === '--help' || word === '--help=true')
  let at = 0
  while (at < argv.length && (argv[at] as string).startsWith('-')) at += takesNextWord(argv[at] as string) ? 2 : 1
  if (argv[at] === 'help') {
    help = true
    return { words: longestVerb(argv.slice(at + 1)), rest: [], help }
  }
  const words = longestVerb(argv.slice(at))
  return { words, rest: [...argv.slice(0, at), ...argv.slice(at + words.length)], help }
}

/** A global flag before the verb that has its value in the next word. */
function takesNextWord(word: string): boolean {
  return globalFlags.some((flag) => flag.kind !== 'boolean' && (word === `--${flag.name}` || word === `-${flag.short ?? ''}`))
}

/** One or two words: two where the first opens a group, such as `download`. */
function longestVerb(words: readonly string[]): readonly string[] {
  const [first, second] = words
  if (first === undefined) return []
  const group = verbs.some((verb) => verb.name.startsWith(`${first} `))
  return group && second !== undefined && !second.startsWith('-') ? [first, second] : [first]
}

/** `download` alone shows what belongs to it; anything else is a mistake with a suggestion. */
async function groupOrUnknown(words: readonly string[], help: boolean): Promise<number> {
  const [first = '', second] = words
  const group: readonly Verb[] = verbs.filter((verb) => verb.name.startsWith(`${first} `))
  if (group.length > 0 && second === undefined) {
    const { helpOfAll } = await import('./command/help.ts')
    standardStream('stdout').write(helpOfAll(group))
    if (help) return 0
    throw new CountersignError('usage', `"${first}" needs one more word`, {
      hint: `Use one of: ${group.map((verb) => verb.name).join(', ')}.`,
    })
  }
  const typed = words.join(' ')
  const near = closest(
    typed,
    verbs.map((verb) => verb.name),
  )
  throw new CountersignError('usage', `unknown verb "${typed}"`, {
    hint: near === undefined ? 'Run "countersign --help" to see all verbs.' : `Did you mean "${near}"?`,
  })
}

/** Reads the flags, runs the body and writes the report, also when the body fails. */
async function runVerb(command: Command, argv: readonly string[]): Promise<number> {
  const read = await parseOrReport(command, argv)
  if (typeof read === 'number') return read
  const { parsed, environment } = read
  const early = (flag: string): readonly string[] => parsed.given.get(flag) ?? environment.values.get(flag) ?? []
  const targets = reportTargets(early('report'))
  const onStdout = targets.some((target) => target.file === undefined)
  const terminal = processTerminal({
    outputFile: early('output-file').at(-1),
    silent: onStdout,
  })
  const verbose = early('verbose').at(-1) === 'true'
  let conclusion: Conclusion
  let failure: CountersignError | undefined
  try {
    checkSubjects(command, parsed)
    refuseFlags(command, parsed)
    refuseEmptyDemands(command, parsed)
    noticeIdleFlags(command, parsed, terminal)
    checkVariables(command, environment, terminal)
    const flags = await readFlags(command, parsed, environment, terminal)
    const body = await command.body()
    conclusion = await body({
      flags,
      subjects: parsed.subjects,
      terminal,
      verbose,
      reportOnStdout: onStdout,
      reportAsked: targets.length > 0,
    })
  } catch (thrown) {
    failure = asFailure(thrown)
    terminal.err(failureMessage(failureText(failure)))
    if (verbose) terminal.err(causeChain(failure))
    conclusion = { subjects: [] }
  }
  return conclude(command, conclusion, failure, targets, terminal)
}

/** What was typed, and what the environment says beside it. */
type Read = { readonly parsed: ParsedArguments; readonly environment: Layer }

/** Flags that cannot be read are reported too, where it can still be seen how. */
async function parseOrReport(command: Command, argv: readonly string[]): Promise<Read | number> {
  try {
    const parsed = parseArguments(argv, [...command.flags, ...globalFlags])
    return { parsed, environment: environmentLayer(command, parsed.given, process.env) }
  } catch (thrown) {
    const failure = asFailure(thrown)
    const asked = argv.findLast((word) => word.startsWith('--report='))?.slice('--report='.length) ?? argv[argv.indexOf('--report') + 1]
    const target = argv.some((word) => word.startsWith('--report')) ? reportTarget(asked) : undefined
    const terminal = processTerminal({ silent: true })
    terminal.err(failureMessage(failureText(failure)))
    return conclude(command, { subjects: [] }, failure, target === undefined ? [] : [target], terminal)
  }
}

async function readFlags(command: Command, parsed: ParsedArguments, environment: Layer, terminal: Terminal): Promise<FlagValues> {
  // What a profile says to a verb that judges and signs nothing changes nothing that somebody must know of.
  const told = verbs.find(({ name }) => name === command.name)?.group === 'other' ? withoutWarnings(terminal) : terminal
  const profile = await profileLayer(command, new Map([...environment.values, ...parsed.given]), told)
  return flagValues(parsed, environment.values, profile.values)
}

function checkSubjects(command: Command, parsed: ParsedArguments): void {
  const count = parsed.subjects.length
  if (parsed.subjects.includes('')) {
    throw new CountersignError('usage', `${command.name} was given an empty name`, {
      expected: command.subjects || 'none',
      hint: 'Check that the variable it comes from is set.',
    })
  }
  if (/^IMAGE…?$/.test(command.subjects)) for (const subject of parsed.subjects) refuseFileAsImage(command, subject)
  const least = command.insteadOfSubjects !== undefined && parsed.given.has(command.insteadOfSubjects) ? 0 : command.least
  if (count >= least && count <= command.most) return
  throw new CountersignError(
    'usage',
    count < command.least
      ? `${command.name} needs ${command.subjects}`
      : command.most === 0
        ? `${command.name} takes flags only`
        : `${command.name} takes no more than ${command.most} of ${command.subjects}`,
    {
      found: count === 0 ? 'none' : `${count}`,
      hint: `For example: ${command.examples[0].line}`,
    },
  )
}

/** `verify app.tar.gz` would ask a public registry for an image of that name: nobody named a registry, and the file is here. */
function refuseFileAsImage({ name }: Command, subject: string): void {
  if (/[/:@]/.test(subject) || statSync(subject, { throwIfNoEntry: false })?.isFile() !== true) return
  const forFiles = verbs.find((verb) => verb.name === name.replace(/^(sign|attest|verify)/, '$1-blob'))
  const instead = forFiles === undefined || forFiles.name === name ? '' : `For the file: "countersign ${forFiles.name}". `
  throw new CountersignError('usage', `${subject} is a file here, and ${name} takes images`, {
    hint: `${instead}For the image of that name: docker.io/library/${subject}.`,
  })
}

async function conclude(
  command: Command,
  conclusion: Conclusion,
  failure: CountersignError | undefined,
  targets: readonly ReportTarget[],
  terminal: Terminal,
): Promise<number> {
  const outcome = failure === undefined ? conclusionOutcome(conclusion) : outcomeOf(failure.code)
  const exitCode = outcome === 'ok' ? 0 : exitCodeOf(outcome)
  const unwritten = conclusion.reported === true && failure === undefined ? targets.filter(({ file }) => file !== undefined) : targets
  if (unwritten.length > 0) {
    const { writeReport } = await import('./report/write.ts')
    for (const target of unwritten) await writeReport({ command: command.name, conclusion, failure, outcome, exitCode, terminal }, target)
  }
  return exitCode
}
