/** Prints results: on a terminal as they are known, on a pipe in the order of the items. */
import type { Invocation } from '../command/invocation.ts'
import { failureMessage, printable } from '../failure/message.ts'
import { annotate } from '../report/annotation.ts'
import { detailOf, standingOf } from '../report/items.ts'
import type { SubjectReport } from '../report/schema.ts'
import { verdictLines } from '../report/verdict.ts'
import { beginProgress } from '../terminal/progress.ts'
import { resultLine } from './lines.ts'

/** `lines` for lists; `files` is how `verify-blob` speaks of several files. */
export type PrintForm = 'lines' | 'files'

/** Takes each result once, by the index of its item. */
export type Printer = { readonly add: (index: number, subject: SubjectReport) => void; readonly end: () => void }

/** Begins to print the results of `total` items. */
export function createPrinter(invocation: Invocation, total: number, form: PrintForm): Printer {
  const { terminal } = invocation
  const live = terminal.outIsTerminal && form === 'lines'
  const progress = beginProgress(terminal, 'verifying', total, 'artifacts')
  const waiting = new Map<number, SubjectReport>()
  let next = 0
  const print = (subject: SubjectReport): void => {
    progress.clear()
    printSubject(invocation, subject, form)
  }
  return {
    add: (index, subject) => {
      progress.advance(1)
      if (live) return print(subject)
      waiting.set(index, subject)
      for (let known = waiting.get(next); known !== undefined; known = waiting.get(next)) {
        waiting.delete(next++)
        print(known)
      }
    },
    end: () => progress.end(),
  }
}

function printSubject(invocation: Invocation, subject: SubjectReport, form: PrintForm): void {
  const { terminal, reportOnStdout } = invocation
  const standing = standingOf(subject)
  if (form === 'files') printFile(invocation, subject)
  else if (!reportOnStdout) {
    const tree = standing === 'failed' || standing === 'warned' ? verdictLines(subject.content).map((line) => `           ${line}\n`) : []
    terminal.out(resultLine(subject, terminal.colour) + tree.join(''))
  }
  const why = detailOf(subject) ?? ''
  if (standing === 'warned') terminal.warn(`WARNING: ${subject.subject}: ${why}`)
  if (standing === 'warned' || standing === 'failed')
    annotate(terminal, standing === 'warned' ? 'warning' : 'error', `${subject.subject}: ${why}`, subject.location)
  for (const { detail } of subject.ok ? (subject.unreadable ?? []) : [])
    terminal.warn(`WARNING: ${subject.subject}: not everything could be read: ${detail}`)
}

function printFile({ terminal }: Invocation, subject: SubjectReport): void {
  const { failure, skipped } = subject
  if (failure !== undefined) terminal.err(failureMessage(failure, subject.subject))
  else if (skipped !== undefined) terminal.err(printable(`${subject.subject}: skipped: ${skipped}`) + '\n')
  else terminal.err(`${printable(subject.subject)}: Verified OK\n`)
}
