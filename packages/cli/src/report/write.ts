/** Builds the report of a run and writes it where it was asked for. */
import { type CountersignError, type Outcome, unreachable } from '@countersign/core/failure'
import { failureText } from '../failure/message.ts'
import { writeWhole } from '../terminal/output-file.ts'
import { paint } from '../terminal/paint.ts'
import { standardStream } from '../terminal/streams.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { version } from '../version.ts'
import { type Conclusion, failureReport } from './conclusion.ts'
import { type SortedItems, sortedItems } from './items.ts'
import { jsonPieces } from './json.ts'
import type { Report } from './schema.ts'
import type { ReportTarget } from './target.ts'

/** Everything that a report is made of. */
export type RunResult = {
  readonly command: string
  readonly conclusion: Conclusion
  readonly failure: CountersignError | undefined
  readonly outcome: 'ok' | Outcome
  readonly exitCode: number
  readonly terminal: Terminal
}

/** Writes the report to its file, or to stdout. */
export async function writeReport(result: RunResult, target: ReportTarget): Promise<void> {
  const pieces = await formatted(buildReport(result), target, result.terminal)
  if (target.file === undefined) for (const piece of pieces) standardStream('stdout').write(piece)
  else await writeWhole(target.file, pieces)
}

/** The report as a value. */
function buildReport(result: RunResult): Report {
  return {
    schema: 'countersign-report/1',
    tool: { name: 'countersign', version },
    command: result.command,
    time: new Date(result.terminal.nowMs).toISOString(),
    outcome: result.outcome,
    exitCode: result.exitCode,
    ...(result.conclusion.policy === undefined ? {} : { policy: result.conclusion.policy }),
    ...verifiedItems(result.conclusion),
    ...result.conclusion.fields,
    subjects: result.conclusion.subjects,
    warnings: result.terminal.warnings,
    ...(result.failure === undefined ? {} : { failure: failureReport(failureText(result.failure)) }),
  }
}

/** For the verbs that verify: they alone have demands to report. */
function verifiedItems({ policy, subjects, timings }: Conclusion): Partial<SortedItems> & Pick<Report, 'timings'> {
  if (policy === undefined) return {}
  return { ...sortedItems(subjects), timings: { totalMs: Math.round(performance.now()), ...timings } }
}

async function formatted(report: Report, target: ReportTarget, terminal: Terminal): Promise<Iterable<string>> {
  switch (target.format) {
    case 'json':
      return jsonPieces(report)
    case 'text': {
      const { textReport } = await import('./text.ts')
      return [textReport(report, paint(target.file === undefined && terminal.colour))]
    }
    case 'sarif': {
      const { sarifReport } = await import('./sarif.ts')
      return [sarifReport(report)]
    }
    case 'junit': {
      const { junitReport } = await import('./junit.ts')
      return [junitReport(report)]
    }
    default:
      return unreachable(target.format)
  }
}
