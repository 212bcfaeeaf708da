import { describe, expect, it } from 'vitest'
import { hintLines, resultLine, summaryLine } from '../../src/batch/lines.ts'
import { createPrinter } from '../../src/batch/printer.ts'
import type { Invocation } from '../../src/command/invocation.ts'
import { failureReport } from '../../src/report/conclusion.ts'
import type { SubjectReport } from '../../src/report/schema.ts'
import { verifyCommand } from '../../src/commands/verify.ts'
import { invocationOf } from '../demands/invocation.ts'

const failure = failureReport({ code: 'no_signature', detail: 'none was found', hint: 'Sign it.' })
const good: SubjectReport = { subject: 'good', type: 'file', ok: true }
const bad: SubjectReport = { subject: 'bad', type: 'file', ok: false, failure, location: { file: 'list', line: 7 } }

function printing(onTerminal: boolean): { readonly invocation: Invocation; readonly out: string[]; readonly err: string[] } {
  const { invocation } = invocationOf(verifyCommand, ['--key', 'k', 'x'])
  const [out, err]: [string[], string[]] = [[], []]
  const terminal = {
    ...invocation.terminal,
    outIsTerminal: onTerminal,
    out: (text: string | Uint8Array) => void out.push(String(text)),
    err: (text: string) => void err.push(text),
    warn: (line: string) => void err.push(`${line}\n`),
  }
  return { invocation: { ...invocation, terminal }, out, err }
}

describe('results', () => {
  it('are printed on a terminal as they are known', () => {
    const { invocation, out } = printing(true)
    const printer = createPrinter(invocation, 2, 'lines')
    printer.add(1, bad)
    expect(out.join('')).toContain('bad')
    printer.add(0, good)
    printer.end()
    expect(out.join('').indexOf('bad')).toBeLessThan(out.join('').indexOf('good'))
  })

  it('are printed on a pipe in the order of the items', () => {
    const { invocation, out } = printing(false)
    const printer = createPrinter(invocation, 3, 'lines')
    printer.add(2, bad)
    printer.add(1, good)
    expect(out).toEqual([])
    printer.add(0, { ...good, subject: 'first' })
    expect(out.map((line) => line.trim())).toEqual([
      'verified first',
      'verified good',
      'failed   bad [list:7]: no_signature: none was found',
    ])
  })

  it('are one line each, whatever they are called', () => {
    const line = resultLine({ ...bad, subject: 'a\n::error::b\u001b[2J', failure: { ...failure, detail: 'x\ny' } }, false)
    expect(line.trimEnd().includes('\n')).toBe(false)
    expect(line.includes('\u001b')).toBe(false)
  })

  it('have a digest beside a tag, and the platform that was chosen', () => {
    const image: SubjectReport = { subject: 'r.example/a:1', type: 'container', ok: true, digest: 'sha256:ab', platform: 'linux/arm64' }
    expect(resultLine(image, false)).toBe('verified r.example/a:1 (linux/arm64) sha256:ab\n')
  })

  it('end with the counts, and with one hint for each kind of failure', () => {
    expect(summaryLine({ total: 4, verified: 1, warned: 1, failed: 1, skipped: 1 }, 1_240)).toBe(
      '1 verified, 1 warned, 1 failed, 1 skipped of 4 in 1.2 s\n',
    )
    expect(hintLines([bad, bad, good])).toBe('countersign: no_signature (2): Sign it.\n')
  })
})
