import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../src/failure.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { compileCondition } from '../../src/policy/condition.ts'

async function evaluate(expression: string, predicate: JsonValue): Promise<string> {
  const condition = await compileCondition(expression, '$.condition')
  return condition({ predicate, artifact: { kind: 'image', repository: 'team/app' } }).kind
}

async function refusalOf(expression: string): Promise<string> {
  try {
    await compileCondition(expression, '$.here')
    return 'compiled'
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `${cause.code} ${cause.message}`
  }
}

const provenance = { buildDefinition: { externalParameters: { workflow: { ref: 'refs/tags/v1' } } }, n: 3, list: [1, 2, 3], nothing: null }

describe('a condition', () => {
  it.each([
    ["predicate.buildDefinition.externalParameters.workflow.ref.startsWith('refs/tags/')", 'holds'],
    ["predicate.buildDefinition.externalParameters.workflow.ref.matches('^refs/tags/v[0-9]+$')", 'holds'],
    ['predicate.n + 1 == 4 && predicate.n * 2 < 7.5', 'holds'],
    ['predicate.list.all(x, x > 0) && predicate.list.exists(x, x == 2) && predicate.list.filter(x, x > 1).size() == 2', 'holds'],
    ['predicate.list.map(x, x + 1)[2] == 4', 'holds'],
    ['predicate.list.exists_one(x, x == 3) && 3 in predicate.list && {"a": [1]}.a == [1]', 'holds'],
    ['artifact.repository == "team/app"', 'holds'],
    ['has(predicate.n) && !has(predicate.m)', 'holds'],
    ["timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')", 'holds'],
    ['predicate.n == 4', 'fails'],
    ['predicate.missing == 1', 'fails'],
    ['predicate.n', 'fails'],
    ["predicate.n + 'x' == 'y'", 'fails'],
    ['predicate.missing == 1 || true', 'holds'],
  ])('%s: %s', async (expression, kind) => {
    expect(await evaluate(expression, provenance)).toBe(kind)
  })

  it('says what has no value', async () => {
    const condition = await compileCondition('predicate.missing == 1', '$')
    expect(condition({ predicate: {}, artifact: null })).toMatchObject({
      kind: 'fails',
      detail: expect.stringContaining('missing') as string,
    })
  })

  it.each(['predicate.constructor == 1', 'predicate.__proto__ == 1', "predicate['toString'] == 1", "'constructor' in predicate"])(
    'attack: reaches no prototype: %s',
    async (expression) => {
      expect(await evaluate(expression, JSON.parse('{"a": 1}') as JsonValue)).toBe('fails')
    },
  )

  it.each([
    ['process.env == 1', '"process" is not known'],
    ['globalThis == 1', '"globalThis" is not known'],
    ['x == 1', '"x" is not known'],
    ['fetch("http://x") == 1', 'there is no function "fetch"'],
    ['google.protobuf.Duration{seconds: 1} == 1', 'messages of protobuf'],
    ['predicate.s.matches(predicate.pattern)', 'the pattern of matches must be written in the condition'],
    ['predicate.', ''],
    ['', ''],
  ])('attack: sees nothing but its inputs: %s', async (expression, detail) => {
    expect(await refusalOf(expression)).toMatch(/^policy_malformed \$\.here: /)
    expect(await refusalOf(expression)).toContain(detail)
  })

  it('attack: loops inside loops inside loops are refused', async () => {
    const nested = 'predicate.a.all(x, predicate.a.all(y, predicate.a.all(z, x == y && y == z)))'
    expect(await refusalOf(nested)).toContain('loops inside each other')
    expect(await refusalOf('predicate.a.all(x, predicate.a.all(y, x == y))')).toBe('compiled')
  })

  it('attack: depth and size are bounded before anything is planned', async () => {
    expect(await refusalOf(`${'('.repeat(4000)}1${')'.repeat(4000)}`)).toMatch(/^policy_malformed/)
    expect(await refusalOf(`${'['.repeat(60)}1${']'.repeat(60)}`)).toMatch(/^policy_malformed/)
    expect(await refusalOf(Array.from({ length: 900 }, () => '1==1').join('&&'))).toMatch(/^policy_malformed/)
  })

  const big = { a: Array.from({ length: 3000 }, (_, i) => i) }

  it.each([
    ['a loop in a loop', 'predicate.a.all(x, predicate.a.all(y, x + y >= 0))'],
    ['a search in a loop', 'predicate.a.all(x, x in predicate.a)'],
    ['a comparison of all in a loop', 'predicate.a.all(x, predicate.a == predicate.a)'],
    ['an or that would hide it', 'predicate.a.all(x, predicate.a.all(y, x + y >= 0)) || true'],
    ['an exists that would hide it', 'predicate.a.exists(x, predicate.a.map(y, x + y).size() < 0) || true'],
  ])('attack: %s ends when the budget is used up, and could not tell', async (_name, expression) => {
    const condition = await compileCondition(expression, '$')
    const began = performance.now()
    expect(condition({ predicate: big, artifact: null }).kind).toBe('unknown')
    expect(performance.now() - began).toBeLessThan(15_000)
  })

  it('attack: a predicate of a million values could not tell', async () => {
    const condition = await compileCondition('true', '$')
    expect(condition({ predicate: Array.from({ length: 500_001 }, () => 0), artifact: null }).kind).toBe('unknown')
  })

  it('looks at ten thousand entries of a list', async () => {
    const packages = Array.from({ length: 10_000 }, (_, i) => ({ name: `p${i}`, severity: i % 7 === 0 ? 'LOW' : 'NONE' }))
    expect(await evaluate("predicate.packages.filter(p, p.severity == 'CRITICAL').size() == 0", { packages })).toBe('holds')
    expect(await evaluate("predicate.packages.all(p, p.severity in ['LOW', 'NONE'])", { packages })).toBe('holds')
  })
})
