/** `countersign completion`: scripts made from the table of verbs and flags, so that they are never out of date. */
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import type { Command } from '../command/model.ts'
import { verbs } from '../command/table.ts'
import { globalFlags } from '../flags/global.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** Prints the script of one shell. */
export async function completion({ subjects, terminal }: Invocation): Promise<Conclusion> {
  const [shell = ''] = subjects
  const commands = await Promise.all(verbs.map((verb) => verb.load()))
  const script = scriptOf(shell, commands)
  terminal.out(script)
  return { subjects: [{ subject: shell, ok: true }] }
}

function scriptOf(shell: string, commands: readonly Command[]): string {
  switch (shell) {
    case 'bash':
      return bash(commands)
    case 'zsh':
      return zsh(commands)
    case 'fish':
      return fish(commands)
    default:
      throw new CountersignError('usage', 'there is no completion for this shell', {
        expected: 'bash, zsh or fish',
        found: shell.slice(0, 40),
      })
  }
}

type Word = { readonly name: string; readonly summary: string }

/** What may stand first: verbs of one word, and the first words of groups. */
function firstWords(): readonly Word[] {
  const words = new Map<string, string>()
  for (const verb of verbs) {
    const [first = '', second] = verb.name.split(' ')
    if (!words.has(first))
      words.set(
        first,
        second === undefined
          ? verb.summary
          : `${first} ${verbs
              .filter((other) => other.name.startsWith(`${first} `))
              .map((other) => other.name.split(' ')[1])
              .join(', ')}`,
      )
  }
  return [...words].map(([name, summary]) => ({ name, summary }))
}

function secondWords(first: string): readonly Word[] {
  return verbs.flatMap((verb) =>
    verb.name.startsWith(`${first} `) ? [{ name: verb.name.slice(first.length + 1), summary: verb.summary }] : [],
  )
}

function groupNames(): readonly string[] {
  return [...new Set(verbs.flatMap((verb) => (verb.name.includes(' ') ? [verb.name.split(' ')[0] as string] : [])))]
}

function flagWords(command: Command): readonly Word[] {
  return [...command.flags, ...globalFlags].flatMap((flag) =>
    flag.hidden === true ? [] : [{ name: `--${flag.name}`, summary: flag.help }],
  )
}

/** `VERB --FLAG` of every flag whose values are known, with the values. */
function valueWords(commands: readonly Command[]): readonly (readonly [string, string])[] {
  return commands.flatMap((command) =>
    [...command.flags, ...globalFlags].flatMap((flag) =>
      flag.choices === undefined ? [] : [[`${command.name} --${flag.name}`, flag.choices.join(' ')] as const],
    ),
  )
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map(
    (command) =>
      `    '${command.name}') words='${flagWords(command)
        .map((word) => word.name)
        .join(' ')}' ;;`,
  )
  const values = valueWords(commands).map(([place, words]) => `    '${place}') words='${words}' ;;`)
  const groups = groupNames().map(
    (name) =>
      `    '${name}') words='${secondWords(name)
        .map((word) => word.name)
        .join(' ')}' ;;`,
  )
  return `# bash completion of countersign
_countersign() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words='' verb="\${COMP_WORDS[1]}" flag="\${COMP_WORDS[COMP_CWORD-1]}"
  # An equals sign is a word of its own.
  if [ "$current" = '=' ]; then current=''; elif [ "$flag" = '=' ]; then flag="\${COMP_WORDS[COMP_CWORD-2]}"; fi
  case "$verb" in ${groupNames().join('|')}) if [ "$COMP_CWORD" -gt 2 ]; then verb="$verb \${COMP_WORDS[2]}"; fi ;; esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${firstWords()
      .map((word) => word.name)
      .join(' ')}' -- "$current"))
    return
  fi
  case "$verb $flag" in
${values.join('\n')}
  esac
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); return; fi
  case "$verb" in
${[...groups, ...cases].join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) case "$verb" in ${groupNames().join('|')}|completion) if [ "$verb" = completion ]; then words='bash zsh fish'; fi; COMPREPLY=($(compgen -W "$words" -- "$current")) ;; *) COMPREPLY=($(compgen -f -- "$current")) ;; esac ;;
  esac
}
complete -o filenames -F _countersign countersign
`
}

function zsh(commands: readonly Command[]): string {
  const described = (words: readonly Word[]): string => words.map((word) => `'${quoted(word.name)}:${quoted(word.summary)}'`).join(' ')
  const groups = groupNames().map(
    (name) =>
      `    '${name}') if (( CURRENT == 3 )); then words_=(${described(secondWords(name))}); _describe verb words_; return; fi; verb="$verb $words[3]" ;;`,
  )
  const cases = commands.map((command) => `    '${command.name}') words_=(${described(flagWords(command))}) ;;`)
  return `#compdef countersign
_countersign() {
  local -a words_
  local verb="$words[2]"
  if (( CURRENT == 2 )); then words_=(${described(firstWords())}); _describe verb words_; return; fi
  case "$verb" in
${groups.join('\n')}
    completion) words_=(bash zsh fish); _describe shell words_; return ;;
  esac
  case "$verb" in
${cases.join('\n')}
  esac
  if [[ "$PREFIX" == -* ]]; then _describe flag words_; else _files; fi
}
if [ "$funcstack[1]" = "_countersign" ]; then _countersign "$@"; else compdef _countersign countersign; fi
`
}

function fish(commands: readonly Command[]): string {
  const lines = ['# fish completion of countersign', 'complete -c countersign -n __fish_use_subcommand -f']
  for (const { name, summary } of firstWords())
    lines.push(`complete -c countersign -n __fish_use_subcommand -a '${name}' -d '${quoted(summary)}'`)
  for (const group of groupNames()) {
    const names = secondWords(group)
    const none = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${names.map((word) => word.name).join(' ')}`
    for (const word of names) lines.push(`complete -c countersign -n '${none}' -f -a '${word.name}' -d '${quoted(word.summary)}'`)
  }
  for (const command of commands) {
    const seen = command.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ')
    for (const flag of [...command.flags, ...globalFlags]) {
      if (flag.hidden === true) continue
      const takes = flag.kind === 'boolean' ? '' : flag.choices === undefined ? ' -r' : ` -x -a '${flag.choices.join(' ')}'`
      const short = flag.short === undefined ? '' : ` -s ${flag.short}`
      lines.push(`complete -c countersign -n '${seen}' -l ${flag.name}${short}${takes} -d '${quoted(flag.help)}'`)
    }
  }
  lines.push("complete -c countersign -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'")
  return `${lines.join('\n')}\n`
}

/** A single quote would end the word; of colons only the first, behind the name, means something to zsh. */
function quoted(text: string): string {
  return text.replaceAll("'", '’')
}
