/** The report as SARIF 2.1.0 (OASIS): one result for each image or file that failed, and for each signature that was not accepted. */
import type { FailureReport, Report } from './schema.ts'

type Result = {
  readonly ruleId: string
  readonly level: 'error' | 'note'
  readonly message: { readonly text: string }
  readonly locations: readonly { readonly logicalLocations: readonly { readonly fullyQualifiedName: string }[] }[]
}

/** The report as a SARIF log. */
export function sarifReport(report: Report): string {
  const results: Result[] = []
  for (const subject of report.subjects) {
    if (subject.failure !== undefined) results.push(result(subject.failure, subject.subject, 'error'))
    for (const signature of subject.signatures ?? []) {
      // A signature of somebody else beside an accepted one is no error.
      if (signature.failure !== undefined) results.push(result(signature.failure, subject.subject, 'note'))
    }
  }
  if (report.failure !== undefined) results.push(result(report.failure, report.command, 'error'))
  const rules = [...new Set(results.map((item) => item.ruleId))].map((id) => ({ id }))
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: report.tool.name, version: report.tool.version, rules } },
        invocations: [{ executionSuccessful: report.outcome === 'ok', exitCode: report.exitCode, endTimeUtc: report.time }],
        results,
        properties: { report },
      },
    ],
  }
  return `${JSON.stringify(log, undefined, 2)}\n`
}

function result(failure: FailureReport, name: string, level: Result['level']): Result {
  const parts = [failure.detail]
  if (failure.expected !== undefined) parts.push(`expected ${failure.expected}`)
  if (failure.found !== undefined) parts.push(`found ${failure.found}`)
  return {
    ruleId: failure.code,
    level,
    message: { text: `${parts.join(', ')}. ${failure.hint}` },
    locations: [{ logicalLocations: [{ fullyQualifiedName: name }] }],
  }
}
