/** The text of `--help`. */
import { globalFlags } from '../flags/global.ts'
import type { Command, Flag, Verb } from './model.ts'

const groups: readonly (readonly [Verb['group'], string])[] = [
  ['sign', 'Sign'],
  ['verify', 'Verify'],
  ['look', 'Look'],
  ['move', 'Copy, attach and remove'],
  ['keys', 'Keys'],
  ['trust', 'Trust and registries'],
  ['services', 'Run the services'],
  ['other', 'Other'],
]

/** All verbs, by group. */
export function helpOfAll(verbs: readonly Verb[]): string {
  const width = Math.max(...verbs.map((verb) => verb.name.length)) + 2
  let text = 'Sign and verify container images and files.\n\nUsage:\n  countersign VERB SUBJECT… [flags]\n'
  for (const [group, title] of groups) {
    const members = verbs.filter((verb) => verb.group === group)
    if (members.length === 0) continue
    text += `\n${title}:\n`
    for (const verb of members) text += `  ${verb.name.padEnd(width)}${verb.summary}\n`
  }
  // Of one family of verbs, each has examples of its own.
  const examples = verbs.some(({ name }) => name === 'sign')
    ? '\nExamples:\n  countersign generate-key-pair\n  countersign sign --key cosign.key registry.example/app:1.2\n  countersign verify --key cosign.pub registry.example/app:1.2\n'
    : ''
  return `${text}${examples}\n"countersign VERB --help" shows the flags of a verb and examples.\n`
}

/** One verb: what it does, examples, flags. */
export function helpOf(command: Command): string {
  let text = `${command.summary}\n`
  if (command.description !== undefined) text += `\n${command.description}\n`
  text += `\nUsage:\n  countersign ${command.name} ${command.subjects === '' ? '' : `${command.subjects} `}[flags]\n\nExamples:\n`
  text += command.examples.map((example) => `  # ${example.text}\n  ${example.line}\n`).join('\n')
  const shown = command.flags.filter((flag) => flag.hidden !== true)
  if (shown.length > 0) text += `\nFlags:\n${flagLines(shown)}`
  return `${text}\nGlobal flags:\n${flagLines(globalFlags)}${exitCodes}`
}

const exitCodes = `
Exit codes:
  0 done · 1 failed · 2 wrong usage · 10 no signature · 11 no such image or file · 12 signatures there, none acceptable
  13 policy denied · 14 could not tell · 15 altered artifact or bundle
`

function flagLines(flags: readonly Flag[]): string {
  const left = flags.map((flag) => `  ${flag.short === undefined ? '    ' : `-${flag.short}, `}--${flag.name}${valueName(flag)}`)
  const width = Math.min(Math.max(...left.map((text) => text.length)) + 2, 40)
  return flags
    .map((flag, at) => {
      const head = left[at] as string
      const gap = head.length + 2 > width ? `\n${' '.repeat(width)}` : ' '.repeat(width - head.length)
      return `${head}${gap}${flag.help}${flag.default === undefined ? '' : ` (default ${flag.default})`}\n`
    })
    .join('')
}

function valueName(flag: Flag): string {
  if (flag.kind === 'boolean') return ''
  if (flag.bare !== undefined) return `[=${flag.value ?? 'VALUE'}]`
  return ` ${flag.value ?? 'VALUE'}${flag.kind === 'list' || flag.kind === 'csv' ? '…' : ''}`
}
