import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeStage, type Stage } from './stage.ts'

/** What is typed up to the tab, and what stands on the line then. */
const cases: readonly (readonly [typed: string, completed: string])[] = [
  ['countersign triang', 'countersign triangulate'],
  ['countersign config ch', 'countersign config check'],
  ['countersign verify registry.example/team/a', 'countersign verify registry.example/team/app:1.4'],
  ['countersign verify --key cos', 'countersign verify --key cosign.pub'],
  ['countersign verify --report=sa', 'countersign verify --report=sarif'],
  ['countersign verify --require-t', 'countersign verify --require-tlog'],
  ['countersign verify --profile sta', 'countersign verify --profile staging'],
]
const profile = 'images: [registry.example/team/app:1.4, registry.example/team/web:2]\nprofiles:\n  staging: {}\n'
let stage: Stage
let place: string

beforeAll(async () => {
  stage = makeStage()
  place = join(stage.root, 'shells')
  mkdirSync(join(place, 'home'), { recursive: true })
  writeFileSync(join(place, 'countersign.yaml'), profile)
  writeFileSync(join(place, 'cosign.pub'), '')
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await stage.play(place, `countersign completion ${shell}`)
    writeFileSync(join(place, `script.${shell}`), stdout)
  }
})

afterAll(() => stage.remove())

function has(shell: string): boolean {
  return spawnSync(shell, ['-c', 'exit 0']).status === 0
}

describe('what a tab completes', () => {
  it('in bash, whose words end at colons and equals signs too', { timeout: 60_000 }, async () => {
    const completed: string[] = []
    for (const [typed] of cases) {
      const words = typed.split(/(?<=[:=])|(?=[:=])| /).filter((word) => word !== '')
      const script = `. ./script.bash; COMP_LINE='${typed}'; COMP_POINT=${typed.length}; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _countersign; printf %s "\${COMPREPLY[*]}"`
      const { stdout } = await stage.play(place, `bash -c '${script.replaceAll("'", String.raw`'\''`)}'`)
      completed.push(`${typed.slice(0, typed.length - (words.at(-1)?.length ?? 0))}${stdout}`)
    }
    expect(completed).toEqual(cases.map(([, line]) => line))
  })

  it.skipIf(!has('fish'))('in fish', { timeout: 60_000 }, async () => {
    const completed: string[] = []
    for (const [typed] of cases) {
      const { stdout } = await stage.play(place, `fish -c 'source script.fish; complete -C "${typed}"'`)
      const [word = ''] = stdout.trim().split('\t')
      completed.push(`${typed.slice(0, typed.lastIndexOf(' ') + 1)}${word.split('\n', 1)[0] ?? ''}`)
    }
    expect(completed).toEqual(cases.map(([, line]) => line))
  })

  it.skipIf(!has('zsh'))('in zsh, on a terminal', { timeout: 120_000 }, async () => {
    writeFileSync(join(place, 'terminal.zsh'), terminal(cases.map(([typed]) => typed)))
    const { stdout } = await stage.play(place, 'zsh -f terminal.zsh')
    const lines = [...stdout.matchAll(/^ANSWER\d+<(.*)>/gm)].map((match) => match[1]?.trimEnd())
    expect(lines).toEqual(cases.map(([, line]) => line))
  })

  it('never holds what a shell would run: a profile may come with a checkout', async () => {
    writeFileSync(join(place, 'hostile.yaml'), 'images: ["registry.example/$(touch pwned)"]\n')
    const { stdout } = await stage.play(place, 'countersign __complete verify --profile hostile.yaml reg')
    expect(stdout).toBe(':\n')
    const check = await stage.play(place, 'countersign config check hostile.yaml')
    expect(check.stderr).toContain('"images" has a member that is no name of an image')
    expect(existsSync(join(place, 'pwned'))).toBe(false)
  })
})

/** Types each line and a tab into a zsh of its own, and then has it print the line as it stands. */
function terminal(lines: readonly string[]): string {
  const asks = lines.map((line) => `ask '${line}'`).join('\n')
  return `zmodload zsh/zpty
zpty -b z 'TERM=dumb zsh -f -i'
seen=''
until_() { local i part; for i in {1..150}; do while zpty -r -t z part 2>/dev/null; do seen+=$part; done; [[ $seen == *"$1"* ]] && return; sleep 0.1; done; }
zpty -w -n z $'PS1="" PS2="" RPS1=""; unsetopt auto_list list_beep beep prompt_sp; autoload -Uz compinit; compinit -u -D; source ./script.zsh; print REA""DY\\n'
until_ READY
n=0
ask() { (( n++ )); zpty -w -n z "$1"$'\\t'; zpty -w -n z $'\\x01print -r -- "ANSWER'$n$'<\\x05>"\\n'; until_ $'\\nANSWER'$n'<'; }
${asks}
print -r -- "$seen" | tr -d '\\r' | grep -a '^ANSWER'
`
}
