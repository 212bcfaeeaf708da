import { readFileSync } from 'node:fs'
import { CountersignError, isFailureCode, type Outcome, outcomeOf } from '@countersign/core/failure'
import { describe, expect, it } from 'vitest'
import { exitCodeOf, gravestOutcome } from '../../src/failure/exit-code.ts'
import { asFailure, causeChain, failureMessage, failureText } from '../../src/failure/message.ts'
import { nextStep } from '../../src/failure/next-step.ts'

const outcomes: readonly (readonly [Outcome, number])[] = [
  ['failed', 1],
  ['usage', 2],
  ['unsigned', 10],
  ['not_found', 11],
  ['unacceptable', 12],
  ['denied', 13],
  ['unknown', 14],
  ['altered', 15],
]

const source = readFileSync(new URL('../../../core/src/failure.ts', import.meta.url), 'utf8')
const codes = [...source.matchAll(/^ {2}([a-z0-9_]+): '/gm)].map(([, code]) => code ?? '').filter(isFailureCode)

describe('exit codes', () => {
  it.for(outcomes)('%s is %d', ([outcome, code]) => expect(exitCodeOf(outcome)).toBe(code))

  it('gives every failure code an exit code and a next step that is a sentence', () => {
    expect(codes.length).toBeGreaterThan(80)
    for (const code of codes) {
      expect(exitCodeOf(outcomeOf(code))).toBeGreaterThan(0)
      expect(nextStep(code)).toMatch(/^[A-Z].*[.]$/)
    }
  })

  it('takes the gravest of several: 15, 13, 12, 10, 11, 14, 1', () => {
    const falling = ['altered', 'denied', 'unacceptable', 'unsigned', 'not_found', 'unknown', 'failed'] as const
    for (let at = 0; at < falling.length; at++) expect(gravestOutcome(falling.slice(at).toReversed())).toBe(falling[at])
    expect(gravestOutcome([])).toBeUndefined()
  })
})

describe('a failure in words', () => {
  it('is one line of what, expected and found, and one of what to do next', () => {
    const failure = new CountersignError('signer_untrusted', 'signed with another key', { expected: 'a', found: 'b', hint: 'Use b.' })
    expect(failureMessage(failureText(failure))).toBe('countersign: signed with another key: expected a, found b\n  Use b.\n')
  })

  it('names the subject only when the text does not', () => {
    const failure = failureText(new CountersignError('file_not_found', 'no such file: x.txt', { hint: 'H.' }))
    expect(failureMessage(failure, 'x.txt')).toBe('countersign: no such file: x.txt\n  H.\n')
    expect(failureMessage(failure, 'image')).toBe('countersign: image: no such file: x.txt\n  H.\n')
  })

  it('forges no second line and moves no cursor, whatever a registry says', () => {
    const failure = new CountersignError('registry_failed', 'said\n\u001b[2Jverified\r\u202eOK', { hint: 'Again.' })
    expect(failureMessage(failureText(failure))).toBe('countersign: said [2Jverified OK\n  Again.\n')
  })

  it('maps errors of Node to codes, and keeps the chain of causes', () => {
    const missing = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT' })
    expect(asFailure(missing)).toMatchObject({ code: 'file_not_found', cause: missing })
    expect(asFailure(Object.assign(new Error('EACCES'), { code: 'EACCES' }))).toMatchObject({ code: 'io_failed' })
    expect(asFailure('odd')).toMatchObject({ code: 'internal' })
    const inner = new CountersignError('registry_throttled', 'slow down')
    expect(causeChain(new CountersignError('registry_failed', 'no', { cause: inner }))).toBe('  caused by registry_throttled: slow down\n')
  })
})
