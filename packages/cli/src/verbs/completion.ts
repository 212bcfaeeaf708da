/** `countersign completion`: scripts that ask the command itself what may follow, so that they are never out of date. */
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** Prints the script of one shell. */
export function completion({ subjects, terminal }: Invocation): Promise<Conclusion> {
  const [shell = ''] = subjects
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined
  if (script === undefined) {
    throw new CountersignError('usage', 'there is no completion for this shell', {
      expected: 'bash, zsh or fish',
      found: shell.slice(0, 40),
    })
  }
  terminal.out(script)
  return Promise.resolve({ subjects: [{ subject: shell, ok: true }] })
}

/** Words are split at blanks: bash itself splits them at `:` and `=` too, which image names and flags are full of. */
const bash = `# bash completion of countersign
_countersign() {
  local line="\${COMP_LINE:0:COMP_POINT}" current="\${COMP_WORDS[COMP_CWORD]}" word directive='' reply
  local -a typed
  read -ra typed <<< "$line"
  case "$line" in *' ') typed+=('') ;; esac
  case "$current" in '='|':') current='' ;; esac
  # What bash has split off in front of the current word.
  local whole="\${typed[\${#typed[@]}-1]}"
  local front="\${whole%"$current"}"
  COMPREPLY=()
  while IFS= read -r reply; do
    case "$reply" in
      :*) directive="$reply" ;;
      *) word="\${reply%%$'\\t'*}"; COMPREPLY+=("\${word#"$front"}") ;;
    esac
  done < <("\${typed[0]}" __complete "\${typed[@]:1}" 2>/dev/null)
  if [ "$directive" = ':files' ]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r reply; do COMPREPLY+=("$reply"); done < <(compgen -f -- "$current")
  fi
  case "\${COMPREPLY[0]-}" in *:|*=) [ "\${#COMPREPLY[@]}" -eq 1 ] && compopt -o nospace 2>/dev/null ;; esac
  return 0
}
complete -F _countersign countersign
`

const zsh = `#compdef countersign
_countersign() {
  local -a replies candidates
  local reply directive
  replies=("\${(@f)$("$words[1]" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  directive="$replies[-1]"
  for reply in "\${(@)replies[1,-2]}"; do
    candidates+=("\${\${reply%%$'\\t'*}//:/\\\\:}:\${reply#*$'\\t'}")
  done
  (( $#candidates )) && _describe countersign candidates
  if [[ "$directive" == ':files' ]]; then
    [[ "$PREFIX" == -*=* ]] && compset -P '*='
    [[ "$PREFIX" == oci*:* ]] && compset -P '*:'
    _files
  fi
}
if [ "$funcstack[1]" = "_countersign" ]; then _countersign "$@"; else compdef _countersign countersign; fi
`

const fish = `# fish completion of countersign
function __countersign_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  test -z "$current"; and set current ''
  set -l replies ($before[1] __complete $before[2..-1] $current 2>/dev/null)
  for reply in $replies[1..-2]
    echo $reply
  end
  if test "$replies[-1]" = ':files'
    __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current)
  end
end
complete -c countersign -f -a '(__countersign_complete)'
`

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish }
