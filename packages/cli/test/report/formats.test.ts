import { describe, expect, it } from 'vitest'
import { failureReport } from '../../src/report/conclusion.ts'
import { jsonPieces } from '../../src/report/json.ts'
import { junitReport } from '../../src/report/junit.ts'
import { sarifReport } from '../../src/report/sarif.ts'
import type { Report } from '../../src/report/schema.ts'
import { reportTarget } from '../../src/report/target.ts'

const refused = failureReport({ code: 'signer_untrusted', detail: 'another <key> & "more"', expected: 'a', found: 'b', hint: 'Use b.' })
const unknown = failureReport({ code: 'registry_throttled', detail: 'slow down' })
const report: Report = {
  schema: 'countersign-report/1',
  tool: { name: 'countersign', version: '0' },
  command: 'verify',
  time: '2026-01-01T00:00:00.000Z',
  outcome: 'unacceptable',
  exitCode: 12,
  subjects: [
    {
      subject: 'good',
      ok: true,
      signatures: [
        { accepted: true, checks: [] },
        { accepted: false, checks: [], failure: refused },
      ],
    },
    { subject: 'bad\u0000name', ok: false, failure: refused },
    { subject: 'open', ok: false, failure: unknown },
  ],
  warnings: [],
}

describe('JUnit', () => {
  it('counts a refusal as failure and "could not tell" as error', () => {
    expect(junitReport(report)).toContain('<testsuites tests="3" failures="1" errors="1">')
  })

  it('escapes markup and replaces what XML cannot hold', () => {
    const text = junitReport(report)
    expect(text).toContain('message="another &lt;key&gt; &amp; &quot;more&quot;"')
    expect(text).toContain('name="bad\ufffdname"')
  })
})

describe('SARIF', () => {
  it('has an error for each failed subject and a note for each other signature', () => {
    const { runs } = JSON.parse(sarifReport(report)) as { runs: { results: { ruleId: string; level: string }[] }[] }
    expect(runs[0]?.results.map(({ ruleId, level }) => `${level} ${ruleId}`)).toEqual([
      'note signer_untrusted',
      'error signer_untrusted',
      'error registry_throttled',
    ])
  })
})

describe('--report', () => {
  it.for([
    ['json', { format: 'json' }],
    ['junit=a=b.xml', { format: 'junit', file: 'a=b.xml' }],
    ['', undefined],
  ] as const)('%s', ([value, target]) => expect(reportTarget(value)).toEqual(target))

  it('refuses an unknown format', () => {
    expect(() => reportTarget('yaml')).toThrow(expect.objectContaining({ code: 'usage' }))
  })
})

describe('the report as JSON', () => {
  it.each([
    ['with subjects', report],
    ['with none', { ...report, subjects: [] }],
    [
      'attack: with a subject that looks like the member',
      { ...report, command: '\n  "subjects": []', subjects: [{ subject: '\n  "subjects": []', ok: true }] },
    ],
  ])('is in pieces what it is as a whole, %s', (_what, whole) => {
    expect([...jsonPieces(whole)].join('')).toBe(`${JSON.stringify(whole, undefined, 2)}\n`)
  })
})
