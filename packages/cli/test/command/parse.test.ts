import { describe, expect, it } from 'vitest'
import type { Flag } from '../../src/command/model.ts'
import { durationMs, parseArguments } from '../../src/command/parse.ts'

const flags: readonly Flag[] = [
  { name: 'key', kind: 'list', help: '' },
  { name: 'yes', short: 'y', kind: 'boolean', help: '' },
  { name: 'recursive', short: 'r', kind: 'boolean', help: '' },
  { name: 'no-upload', kind: 'boolean', help: '' },
  { name: 'output', short: 'o', kind: 'text', help: '' },
  { name: 'annotations', short: 'a', kind: 'csv', help: '' },
  { name: 'max-workers', kind: 'number', help: '' },
  { name: 'timeout', short: 't', kind: 'duration', help: '' },
  { name: 'cert', kind: 'text', alias: 'certificate', help: '' },
]
const given = (...argv: string[]): Record<string, readonly string[]> => Object.fromEntries(parseArguments(argv, flags).given)

describe('a command line is read as cobra reads it', () => {
  it('takes a value after a space and after an equals sign', () => {
    expect(given('--key', 'a', '--key=b')).toEqual({ key: ['a', 'b'] })
  })

  it('takes a value that begins with a dash', () => {
    expect(given('--output', '-')).toEqual({ output: ['-'] })
    expect(given('-o', '--yes')).toEqual({ output: ['--yes'] })
  })

  it('gives a boolean a value only after an equals sign', () => {
    expect(given('--yes')).toEqual({ yes: ['true'] })
    expect(given('--yes=false')).toEqual({ yes: ['false'] })
    expect(given('--yes=F')).toEqual({ yes: ['false'] })
    expect(() => given('--yes', 'false')).toThrow(expect.objectContaining({ code: 'usage', hint: 'Write --yes=false.' }))
    expect(parseArguments(['--yes', '--', 'true'], flags)).toMatchObject({ subjects: ['true'] })
  })

  it('reads short flags together, with the value attached or after', () => {
    expect(given('-yr')).toEqual({ yes: ['true'], recursive: ['true'] })
    expect(given('-yojson')).toEqual({ yes: ['true'], output: ['json'] })
    expect(given('-o=json')).toEqual({ output: ['json'] })
    expect(given('-y=false')).toEqual({ yes: ['false'] })
  })

  it('splits annotations at commas, but not inside quotes', () => {
    expect(given('-a', 'a=1,b=2', '-a', '"c=3,4",d=5')).toEqual({ annotations: ['a=1', 'b=2', 'c=3,4', 'd=5'] })
  })

  it('keeps subjects before, between and after flags, a single dash among them, and everything after two dashes', () => {
    expect(parseArguments(['one', '-y', '-', '--', '--key', '-x'], flags).subjects).toEqual(['one', '-', '--key', '-x'])
  })

  it('files an alias under the real name and remembers how it was spelled', () => {
    const parsed = parseArguments(['--cert', 'x'], flags)
    expect([...parsed.given]).toEqual([['certificate', ['x']]])
    expect([...parsed.spelled]).toEqual(['cert'])
  })

  it.for([
    [['--kye', 'x'], 'unknown flag --kye', 'Did you mean --key?'],
    [['--key'], 'flag --key needs a value', 'Write --key=VALUE.'],
    [['-z'], 'unknown flag -z', 'Run the command with --help to see its flags.'],
    [['--yes=perhaps'], 'flag --yes has a malformed value', 'Write --yes=VALUE.'],
    [['--max-workers=1e9'], 'flag --max-workers has a malformed value', 'Write --max-workers=VALUE.'],
    [['--timeout=soon'], 'flag --timeout has a malformed value', 'Write --timeout=VALUE.'],
  ] as const)('refuses %j as wrong usage', ([argv, message, hint]) => {
    expect(() => parseArguments(argv, flags)).toThrow(expect.objectContaining({ code: 'usage', message, hint }))
  })

  it('reads durations as Go writes them', () => {
    expect(durationMs('3m0s')).toBe(180_000)
    expect(durationMs('1h1.5s20ms')).toBe(3_601_520)
  })
})
