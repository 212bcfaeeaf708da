/** The report as JUnit XML: one test case for each image or file. */
import type { FailureReport, Report } from './schema.ts'

/** The report as a JUnit document. "Could not tell" is an error, every other refusal a failure. */
export function junitReport(report: Report): string {
  const cases = report.subjects.map((subject) => testCase(report.command, subject.subject, subject.failure))
  if (report.failure !== undefined) cases.push(testCase(report.command, report.command, report.failure))
  const failures = [...report.subjects.map((subject) => subject.failure), report.failure].filter((failure) => failure !== undefined)
  const errors = failures.filter(isError).length
  const counts = `tests="${cases.length}" failures="${failures.length - errors}" errors="${errors}"`
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n  <testsuite name="countersign ${escaped(report.command)}" ${counts} timestamp="${report.time}">\n${cases.join('')}  </testsuite>\n</testsuites>\n`
}

function testCase(command: string, name: string, failure: FailureReport | undefined): string {
  const open = `    <testcase classname="countersign.${escaped(command.replaceAll(' ', '.'))}" name="${escaped(name)}"`
  if (failure === undefined) return `${open}/>\n`
  const element = isError(failure) ? 'error' : 'failure'
  const found = [
    failure.expected === undefined ? '' : `expected ${failure.expected}\n`,
    failure.found === undefined ? '' : `found ${failure.found}\n`,
  ].join('')
  return `${open}>\n      <${element} type="${failure.code}" message="${escaped(failure.detail)}">${escaped(`${found}${failure.hint}`)}</${element}>\n    </testcase>\n`
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
