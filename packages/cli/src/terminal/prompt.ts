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
  const answer = await answered(ask({ message: question, initialValue: false, output: process.stderr }))
  if (isCancel(answer)) interrupted()
  return answer
}

/** Asks for a password without showing it; asks twice when it is a new one. */
export async function askPassword(question: string, twice: boolean): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts')
  const first = await answered(password({ message: question, output: process.stderr }))
  if (isCancel(first)) interrupted()
  if (!twice) return first
  const second = await answered(password({ message: `${question} again`, output: process.stderr }))
  if (isCancel(second)) interrupted()
  if (first !== second) throw new CountersignError('usage', 'the two passwords differ', { hint: 'Run the command again.' })
  return first
}

/** An answer, or `usage` when the input ends first (Ctrl-D, a terminal that hangs up): Node would end the run with 13, which means "denied". */
export function answered<Answer>(question: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const ended = (): void => {
      process.stderr.write('\u001b[?25h\n')
      reject(
        new CountersignError('usage', 'the input ended before the question was answered', {
          hint: 'Answer it, or give what is asked for with a flag or a variable ("countersign env").',
        }),
      )
    }
    process.once('beforeExit', ended)
    question.finally(() => process.off('beforeExit', ended)).then(resolve, reject)
  })
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
