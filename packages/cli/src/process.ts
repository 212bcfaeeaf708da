/** The life of one run as a process: signals, broken pipes, the exit code. */
import { exitCodeOf } from './failure/exit-code.ts'
import { asFailure, causeChain, failureMessage, failureText } from './failure/message.ts'
import { CountersignError, outcomeOf } from '@countersign/core/failure'
import { run } from './run.ts'
import { interrupt } from './terminal/interruption.ts'
import { openedStreams, standardStream } from './terminal/streams.ts'

/** Runs a command line in this process and ends it with the exit code. */
export async function runCommandLine(argv: readonly string[], body: typeof run = run): Promise<void> {
  // Work that can tell what it knows so far ends by itself; a second signal ends it at once.
  process.on('SIGINT', () => (interrupt() ? undefined : endInterrupted(argv, 130)))
  process.on('SIGTERM', () => (interrupt() ? undefined : endInterrupted(argv, 143)))
  process.once('uncaughtException', (thrown) => process.exit(reportThrown(thrown, argv)))
  // Node ends a run that waits for nothing any more with 13, which here is "policy denied".
  process.once('beforeExit', () => process.exit(reportThrown(endedEarly(), argv)))
  let code: number
  try {
    code = await body(argv)
  } catch (thrown) {
    code = reportThrown(thrown, argv)
  }
  await drained()
  // Idle connections of the pool and an open stdin would keep the process alive.
  process.exit(code)
}

/** Says what an interruption leaves: a signature may have reached its place without our knowing. */
function endInterrupted(argv: readonly string[], code: number): never {
  const stderr = standardStream('stderr')
  // A terminal shows what was typed, and perhaps progress, on the same line.
  stderr.write(`${stderr.isTTY ? '\n' : ''}countersign: interrupted; ${leftBy(argv)}\n`)
  process.exit(code)
}

function leftBy(argv: readonly string[]): string {
  const [first = '', second = ''] = argv.filter((word) => !word.startsWith('-'))
  if (first.startsWith('verify') || (second === 'verify' && /^(?:manifest|dockerfile)$/.test(first)))
    return 'nothing was verified but what is reported'
  if (/^(?:sign|attest)(?:-blob)?$/.test(first)) return 'nothing was signed but what is reported, or was on its way; run again'
  return 'what was not reported is not done, or in part'
}

function endedEarly(): CountersignError {
  return new CountersignError('internal', 'the command ended before its work was done', {
    hint: 'Nothing that it did not report is done. Please report this, with the command line.',
  })
}

/** The last resort: one message, and the exit code of the failure. */
function reportThrown(thrown: unknown, argv: readonly string[]): number {
  const failure = asFailure(thrown)
  standardStream('stderr').write(failureMessage(failureText(failure)))
  if (argv.includes('-d') || argv.includes('--verbose')) standardStream('stderr').write(causeChain(failure))
  return exitCodeOf(outcomeOf(failure.code))
}

/** Waits until what was written has left the process: writes to a pipe may be pending, and one that failed says so a turn later. */
async function drained(): Promise<unknown> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
  const flush = (stream: NodeJS.WriteStream): Promise<void> =>
    new Promise((resolve) => {
      if (stream.destroyed || stream.writableLength === 0) resolve()
      else stream.write('', () => resolve())
    })
  return Promise.all(openedStreams().map(flush))
}
