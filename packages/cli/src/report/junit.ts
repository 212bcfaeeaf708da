/** The report as JUnit XML: one test case for each image or file. */
import { detailOf, standingOf } from './items.ts'
import type { FailureReport, Report, SubjectReport } from './schema.ts'
import { verdictLines } from './verdict.ts'

/** The report as a JUnit document. "Could not tell" is an error, every other refusal a failure. */
export function junitReport(report: Report): string {
  const cases = report.subjects.map((subject) => testCase(report.command, subject))
  if (report.failure !== undefined) cases.push(testCase(report.command, { subject: report.command, ok: false, failure: report.failure }))
  const failures = [...report.subjects.map((subject) => subject.failure), report.failure].filter((failure) => failure !== undefined)
  const errors = failures.filter(isError).length
  const skipped = report.subjects.filter(isPassedOver).length
  const counts = `tests="${cases.length}" failures="${failures.length - errors}" errors="${errors}"${skipped === 0 ? '' : ` skipped="${skipped}"`}`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n  <testsuite name="countersign ${escaped(report.command)}" ${counts} timestamp="${report.time}">\n${cases.join('')}  </testsuite>\n</testsuites>\n`
}

function testCase(command: string, subject: SubjectReport): string {
  const { failure, location, durationMs } = subject
  const where =
    location === undefined ? '' : ` file="${escaped(location.file)}"${location.line === undefined ? '' : ` line="${location.line}"`}`
  const time = durationMs === undefined ? '' : ` time="${(durationMs / 1000).toFixed(3)}"`
  const open = `    <testcase classname="countersign.${escaped(command.replaceAll(' ', '.'))}" name="${escaped(subject.subject)}"${where}${time}`
  const tree = verdictLines(subject.content)
  if (failure === undefined) {
    if (isPassedOver(subject)) return `${open}>\n      <skipped message="${escaped(subject.skipped ?? '')}"/>\n    </testcase>\n`
    if (standingOf(subject) !== 'warned') return `${open}/>\n`
    return `${open}>\n      <system-out>${escaped([`warning: ${detailOf(subject) ?? ''}`, ...tree].join('\n'))}</system-out>\n    </testcase>\n`
  }
  const element = isError(failure) ? 'error' : 'failure'
  const found = [
    failure.expected === undefined ? '' : `expected ${failure.expected}\n`,
    failure.found === undefined ? '' : `found ${failure.found}\n`,
    ...tree.map((line) => `${line}\n`),
  ].join('')
  return `${open}>\n      <${element} type="${failure.code}" message="${escaped(failure.detail)}">${escaped(`${found}${failure.hint}`)}</${element}>\n    </testcase>\n`
}

/** What a run did not come to is no pass: it has a failure. */
function isPassedOver({ skipped, failure }: SubjectReport): boolean {
  return skipped !== undefined && failure === undefined
}

function isError(failure: FailureReport): boolean {
  return failure.outcome === 'unknown' || failure.outcome === 'failed' || failure.outcome === 'usage'
}

/** XML 1.0 §2.2 and §2.4: markup is escaped, and characters that XML cannot hold are replaced. */
function escaped(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
  const legal = text.replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
  return legal.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
