/** `countersign config view`. */
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import { closest } from '@countersign/core/json/nearest-name'
import { verbs } from '../command/table.ts'
import { printable } from '../failure/message.ts'
import { concealed, type FlagInForce, flagsInForce } from '../profile/in-force.ts'
import { readProfiles } from '../profile/layers.ts'
import { profileInForce } from '../profile/profile.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { withoutWarnings } from '../terminal/terminal.ts'

/** Shows what a verb would use, or everything that is set. */
export async function configView(invocation: Invocation): Promise<Conclusion> {
  const { subjects } = invocation
  const two = verbs.find((verb) => verb.name === subjects.slice(0, 2).join(' '))
  const verb = two ?? verbs.find((candidate) => candidate.name === subjects[0])
  if (subjects.length === 0) return everything(invocation)
  if (verb === undefined) {
    const near = closest(
      subjects[0] ?? '',
      verbs.map((candidate) => candidate.name),
    )
    throw new CountersignError('usage', `unknown verb "${subjects[0]?.slice(0, 100)}"`, {
      hint: near === undefined ? 'Name a verb, e.g. "countersign config view verify".' : `Did you mean "${near}"?`,
    })
  }
  return ofVerb(invocation, verb.name, subjects.slice(verb.name.split(' ').length))
}

async function ofVerb({ terminal, flags, reportOnStdout }: Invocation, name: string, rest: readonly string[]): Promise<Conclusion> {
  const command = await verbs.find((verb) => verb.name === name)?.load()
  if (command === undefined) throw new CountersignError('internal', `no verb ${name}`)
  const named = flags.text('profile')
  const argv = named === undefined ? rest : [`--profile=${named}`, ...rest]
  const inForce = await flagsInForce(command, argv, withoutWarnings(terminal))
  const settings = name === 'serve' ? await (await import('./config-view-serve.ts')).serverSettings(inForce, terminal) : undefined
  if (!reportOnStdout) {
    terminal.out(rows(inForce.map((one) => [`--${one.flag}`, valueText(one), originText(one)])))
    if (settings !== undefined) terminal.out(rows(settings.map(({ path, value, place }) => [path, value, place])))
  }
  const content = { verb: name, flags: inForce, ...(settings === undefined ? {} : { settings }) }
  return { subjects: [{ subject: name, ok: true, content }] }
}

function valueText({ values }: FlagInForce): string {
  return values.join(', ')
}

function originText({ source, place }: FlagInForce): string {
  return place ?? (source === 'flag' ? 'typed' : source)
}

/** All that the profile and the environment hold, whatever it is for. */
async function everything({ terminal, flags, reportOnStdout }: Invocation): Promise<Conclusion> {
  const named = flags.text('profile')
  const file = await profileInForce(new Map(named === undefined ? [] : [['profile', [named]]]), terminal)
  const read = file === undefined ? [] : await readProfiles(file)
  const settings = read.flatMap(({ file: { path }, profile }) =>
    profile.settings.map(({ section, profile: name, flag, values, line }) => ({
      section: name === undefined ? section : `${name}: ${section}`,
      flag,
      values: concealed(flag, values),
      place: `${path}:${line}`,
    })),
  )
  const variables = await variablesSet(terminal.environment)
  if (!reportOnStdout) {
    if (read.length === 0) terminal.out('There is no profile here.\n')
    for (const {
      file: { path },
      profile,
    } of read) {
      const names = profile.names.length === 0 ? '' : ` (names in it: ${profile.names.join(', ')})`
      terminal.out(printable(`Profile ${path}${names}`) + '\n')
    }
    terminal.out(rows(settings.map((one) => [one.section, `--${one.flag}`, one.values.join(', '), one.place])))
    terminal.out(rows(variables.map((one) => ['environment', `--${one.flag}`, one.values.join(', '), one.place])))
  }
  const names = [...new Set(read.flatMap(({ profile }) => profile.names))]
  const account = file?.account === undefined ? {} : { account: file.account.path }
  const content = { ...(file === undefined ? {} : { profile: file.path, ...account, names }), settings, variables }
  return { subjects: [{ subject: file?.path ?? 'environment', ok: true, content }] }
}

type Variable = { readonly flag: string; readonly values: readonly string[]; readonly place: string }

/** The variables that are set and stand for a flag of any verb. */
async function variablesSet(environment: Readonly<Record<string, string | undefined>>): Promise<readonly Variable[]> {
  const { flagVariables } = await import('../flags/variables.ts')
  return [...(await flagVariables())].flatMap(([name, { flag }]) => {
    const value = environment[name]
    return value === undefined || value === '' ? [] : [{ flag, values: concealed(flag, value.split('\n')), place: name }]
  })
}

/** Columns as wide as their widest cell, the last as it is. */
function rows(table: readonly (readonly string[])[]): string {
  const clean = table.map((row) => row.map(printable))
  const widths = (clean[0] ?? []).map((_, column) => Math.min(60, Math.max(...clean.map((row) => (row[column] ?? '').length))))
  return clean
    .map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')}\n`)
    .join('')
}
