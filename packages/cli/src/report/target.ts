/** `--report FORMAT[=FILE]`. */
import { CountersignError } from '@countersign/core/failure'

/** Which report goes where; without a file it takes over stdout. */
export type ReportTarget = { readonly format: ReportFormat; readonly file?: string }

/** The forms of the report. */
type ReportFormat = 'text' | 'json' | 'sarif' | 'junit'

/** Reads every `--report`. Throws `usage` on an unknown format, and when two of them want stdout. */
export function reportTargets(values: readonly string[]): readonly ReportTarget[] {
  const targets = values.flatMap((value) => reportTarget(value) ?? [])
  if (targets.filter((target) => target.file === undefined).length <= 1) return targets
  throw new CountersignError('usage', 'two reports cannot both take the place of the output', {
    hint: 'Give all but one a file: --report json=report.json.',
  })
}

/** Reads one `--report`. Throws `usage` on an unknown format. */
export function reportTarget(value: string | undefined): ReportTarget | undefined {
  if (value === undefined || value === '') return undefined
  const equals = value.indexOf('=')
  const format = equals < 0 ? value : value.slice(0, equals)
  if (format !== 'text' && format !== 'json' && format !== 'sarif' && format !== 'junit') {
    throw new CountersignError('usage', '--report has an unknown format', {
      expected: 'text, json, sarif or junit',
      found: JSON.stringify(format.slice(0, 40)),
      hint: 'Write for example --report json or --report junit=report.xml.',
    })
  }
  const file = equals < 0 ? '' : value.slice(equals + 1)
  return file === '' ? { format } : { format, file }
}
