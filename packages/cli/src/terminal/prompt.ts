/** Questions to a person, on the terminal and on stderr: stdout belongs to the result. */
import { CountersignError } from '@countersign/core/failure'
import type { Terminal } from './terminal.ts'

/** Asks yes or no; `false` unless the person says yes. Without a terminal one line is read from stdin, as cosign does. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  if (!terminal.inIsTerminal) {
    terminal.err(`${question} [y/N]`)
    const answer = await readLine()
    terminal.err('\n')
    return /^y(?:es)?$/i.test(answer.trim())
  }
  const { confirm: ask, isCancel } = await import('@clack/prompts')
  const answer = await ask({ message: question, initialValue: false, output: process.stderr })
  if (isCancel(answer)) interrupted()
  return answer
}

/** Asks for a password without showing it; asks twice when it is a new one. */
export async function askPassword(question: string, twice: boolean): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts')
  const first = await password({ message: question, output: process.stderr })
  if (isCancel(first)) interrupted()
  if (!twice) return first
  const second = await password({ message: `${question} again`, output: process.stderr })
  if (isCancel(second)) interrupted()
  if (first !== second) throw new CountersignError('usage', 'the two passwords differ', { hint: 'Run the command again.' })
  return first
}

/** The first line of stdin without its line break; at most 64 KiB. */
async function readLine(): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    text += String(chunk)
    if (text.includes('\n') || text.length > 65_536) break
  }
  return (text.split('\n', 1)[0] ?? '').replace(/\r$/, '')
}

/** Ctrl-C at a question: in raw mode the terminal sends no signal, and the exit code is that of one all the same. */
function interrupted(): never {
  process.exit(130)
}
