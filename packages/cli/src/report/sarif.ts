/** The report as SARIF 2.1.0 (OASIS): one result for each image or file that failed, and for each signature that was not accepted. */
import { pathToFileURL } from 'node:url'
import { detailOf, standingOf } from './items.ts'
import type { FailureReport, Report, SubjectReport } from './schema.ts'

type Result = {
  readonly ruleId: string
  readonly level: 'error' | 'warning' | 'note'
  readonly message: { readonly text: string }
  readonly locations: readonly Location[]
}

type Location = {
  readonly physicalLocation?: {
    readonly artifactLocation: { readonly uri: string }
    readonly region?: { readonly startLine: number; readonly startColumn?: number }
  }
  readonly logicalLocations: readonly { readonly fullyQualifiedName: string }[]
}

/** The report as a SARIF log. */
export function sarifReport(report: Report): string {
  const results: Result[] = []
  for (const subject of report.subjects) {
    const locations = [locationOf(subject)]
    for (const { finding, path, detail, ...location } of subject.findings ?? []) {
      const locations = [locationOf({ subject: path, location })]
      results.push({ ruleId: finding, level: 'warning', message: { text: detail }, locations })
    }
    // What was found says it better than that something was.
    if ((subject.findings ?? []).length > 0) continue
    if (subject.failure !== undefined) results.push(result(subject.failure, locations, 'error'))
    else if (standingOf(subject) === 'warned')
      results.push({
        ruleId: 'policy_warned',
        level: 'warning',
        message: { text: `${subject.subject}: ${detailOf(subject) ?? ''}` },
        locations,
      })
    for (const signature of subject.signatures ?? []) {
      // A signature of somebody else beside an accepted one is no error.
      if (signature.failure !== undefined) results.push(result(signature.failure, locations, 'note'))
    }
  }
  if (report.failure !== undefined)
    results.push(result(report.failure, [{ logicalLocations: [{ fullyQualifiedName: report.command }] }], 'error'))
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

/** Where a file mentions the subject (SARIF 2.1.0 §3.28); code review shows the result there. */
function locationOf({ subject, location }: Pick<SubjectReport, 'subject' | 'location'>): Location {
  const logicalLocations = [{ fullyQualifiedName: subject }]
  if (location === undefined || location.file === '-') return { logicalLocations }
  const { file, line, column } = location
  const region = line === undefined ? {} : { region: { startLine: line, ...(column === undefined ? {} : { startColumn: column }) } }
  return { physicalLocation: { artifactLocation: { uri: uriOf(file) }, ...region }, logicalLocations }
}

/** Relative paths stay so: whoever shows the report knows the folder of the run. */
function uriOf(file: string): string {
  if (file.startsWith('/')) return pathToFileURL(file).href
  return file.split('/').map(encodeURIComponent).join('/')
}

function result(failure: FailureReport, locations: readonly Location[], level: Result['level']): Result {
  const parts = [failure.detail]
  if (failure.expected !== undefined) parts.push(`expected ${failure.expected}`)
  if (failure.found !== undefined) parts.push(`found ${failure.found}`)
  return {
    ruleId: failure.code,
    level,
    message: { text: `${parts.join(', ')}. ${failure.hint}` },
    locations,
  }
}
