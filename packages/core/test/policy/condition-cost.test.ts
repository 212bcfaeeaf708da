import { describe, expect, it } from 'vitest'
import { CountersignError } from '../../src/failure.ts'
import type { JsonValue } from '../../src/json/parse.ts'
import { compileCondition, type ConditionResult } from '../../src/policy/condition.ts'

async function evaluate(expression: string, predicate: JsonValue = {}): Promise<ConditionResult> {
  const condition = await compileCondition(expression, '$')
  return condition({ predicate, artifact: null })
}

async function failureOf(expression: string): Promise<string> {
  try {
    await compileCondition(expression, '$.here')
    return 'compiled'
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return `${cause.code} ${cause.message}`
  }
}

const numbers = (length: number): number[] => Array.from({ length }, (_, index) => index)

describe('a condition is bounded:', () => {
  it('a thousand parts', async () => {
    // n items of a list of lists, each a part, and two parts around them.
    const list = (count: number): string => `[${Array(count).fill('1').join(',')}] == 1`
    const outcomes = await Promise.all([list(997), list(998), list(999), list(1000)].map(failureOf))
    expect(outcomes.filter((outcome) => outcome === 'compiled')).toHaveLength(1)
    expect(outcomes.at(-1)).toBe('policy_malformed $.here: the condition has more than 1000 parts')
  })

  it('48 levels', async () => {
    const nested = (depth: number): string => `predicate${'.a'.repeat(depth)}`
    const last = 48
    expect(await failureOf(nested(last))).toBe('compiled')
    expect(await failureOf(nested(last + 1))).toBe('policy_malformed $.here: the condition nests deeper than 48 levels')
  })

  it.each([
    ['an item', (inner: string) => `[${inner}]`],
    ['a member', (inner: string) => `(${inner}).a`],
    ['an index', (inner: string) => `predicate[${inner}]`],
    ['a value of a map', (inner: string) => `{"a": ${inner}}`],
    ['a key of a map', (inner: string) => `{${inner}: 1}`],
    ['an argument', (inner: string) => `size(${inner})`],
    ['a target', (inner: string) => `(${inner}).size()`],
    ['a condition of a choice', (inner: string) => `${inner} ? 1 : 2`],
    ['the range of a loop', (inner: string) => `(${inner}).all(x, true)`],
    ['the body of a loop', (inner: string) => `predicate.a.all(x, ${inner})`],
  ])('in what it sees, also as %s', async (_where, within) => {
    expect(await failureOf(within('secret'))).toBe(
      'policy_malformed $.here: "secret" is not known; a condition sees predicate and artifact',
    )
    expect(await failureOf(within('predicate.x'))).toBe('compiled')
  })

  it('48 brackets inside each other, and any number one after the other', async () => {
    expect(await failureOf(Array(60).fill('size([1]) == 1').join(' && '))).toBe('compiled')
    const refused = 'policy_malformed $.here: the condition opens more than 48 brackets at once'
    expect(await failureOf(`${'('.repeat(49)}true${')'.repeat(49)}`)).toBe(refused)
    expect(await failureOf(`${'([{'.repeat(16)}(`)).toBe(refused)
  })

  it('two loops inside each other, and any number beside', async () => {
    const loop = (inner: string, name: string): string => `predicate.a.all(${name}, ${inner})`
    expect(await failureOf(loop(loop('x == y', 'y'), 'x'))).toBe('compiled')
    expect(await failureOf(loop(loop(loop('x == z', 'z'), 'y'), 'x'))).toBe(
      'policy_malformed $.here: the condition has loops inside each other deeper than 2 levels',
    )
    expect(await failureOf(['x', 'y', 'z'].map((name) => loop(`${name} == 1`, name)).join(' && '))).toBe('compiled')
    expect(await failureOf(`${loop('x == 1', 'x')} && x == 1`)).toContain('"x" is not known')
  })

  it('in its functions, whose names are told in part', async () => {
    expect(await failureOf(`${'f'.repeat(100)}(1)`)).toBe(`policy_malformed $.here: there is no function "${'f'.repeat(80)}"`)
    expect(await failureOf(`${'n'.repeat(100)} == 1`)).toContain(`"${'n'.repeat(80)}" is not known`)
    expect(await failureOf('predicate.s.matches(predicate.p)')).toContain('the pattern of matches must be written in the condition')
    expect(await failureOf('matches(predicate.s, predicate.p)')).toContain('the pattern of matches must be written in the condition')
    expect(await failureOf('predicate.s.matches()')).toContain('the pattern of matches must be written in the condition')
    expect(await failureOf("matches(predicate.s, 'a')")).toBe('compiled')
    expect(await failureOf('google.protobuf.Duration{seconds: 1} == 1')).toContain('messages of protobuf are not available')
  })
})

describe('why an expression is none', () => {
  const causeOf = async (expression: string): Promise<unknown> => {
    try {
      return await compileCondition(expression, '$')
    } catch (failure) {
      return failure instanceof CountersignError ? failure.cause : failure
    }
  }

  it.each([
    ['too many parts', `[${Array(1000).fill('1').join(',')}] == 1`, 'limit_exceeded'],
    ['too deep', `${'['.repeat(49)}1${']'.repeat(49)}`, 'limit_exceeded'],
    ['too many loops', 'predicate.all(x, x.all(y, y.all(z, z)))', 'limit_exceeded'],
    ['an unknown name', 'secret', 'policy_malformed'],
    ['an unknown function', 'secret(1)', 'policy_malformed'],
  ])('is known: %s', async (_what, expression, code) => {
    expect(await causeOf(expression)).toMatchObject({ code })
  })
})

describe('every function is there', () => {
  it.each([
    'true && !false',
    'false || true',
    'true ? true : false',
    '[1, 2][1] == 2',
    '-(1) == 0 - 1',
    '2 * 3 == 6 && 7 / 2 == 3 && 7 % 2 == 1',
    'dyn(1) == 1',
    'type(1) == int && type("") == string && type(true) == bool && type([]) == list && type({}) == map',
    'type(1u) == uint && type(1.0) == double && type(b"") == bytes && type(null) == null_type && type(int) == type',
    'size("abc") == 3',
    '"abc".contains("b") && "abc".startsWith("a") && "abc".endsWith("c") && "abc".matches("^a.c$")',
    '1 < 2 && 1 <= 1 && 2 > 1 && 2 >= 2',
    '1 in [1] && "a" in {"a": 1}',
    'int("1") == 1 && uint("1") == 1u && double("1.5") == 1.5 && string(1) == "1" && bytes("a") == b"a" && bool("true")',
    "timestamp('2026-01-02T03:04:05.006Z').getFullYear() == 2026",
    "timestamp('2026-01-02T03:04:05.006Z').getMonth() == 0 && timestamp('2026-01-02T03:04:05.006Z').getDate() == 2",
    "timestamp('2026-01-02T03:04:05.006Z').getDayOfMonth() == 1 && timestamp('2026-01-02T03:04:05.006Z').getDayOfWeek() == 5",
    "timestamp('2026-01-02T03:04:05.006Z').getDayOfYear() == 1 && timestamp('2026-01-02T03:04:05.006Z').getHours() == 3",
    "timestamp('2026-01-02T03:04:05.006Z').getMinutes() == 4 && timestamp('2026-01-02T03:04:05.006Z').getSeconds() == 5",
    "timestamp('2026-01-02T03:04:05.006Z').getMilliseconds() == 6",
    "duration('90s').getMinutes() == 1",
    '"a" + "b" == "ab" && [1] + [2] == [1, 2] && 1 != 2',
  ])('%s', async (expression) => {
    expect(await evaluate(expression)).toEqual({ kind: 'holds' })
  })
})

describe('a result is told', () => {
  it('as false, as no value, as neither true nor false', async () => {
    expect(await evaluate('1 == 2')).toEqual({ kind: 'fails', detail: 'the condition is false' })
    expect(await evaluate('predicate')).toEqual({ kind: 'fails', detail: 'the condition is neither true nor false' })
    expect(await evaluate('predicate.missing == 1')).toMatchObject({
      kind: 'fails',
      detail: expect.stringMatching(/^the condition has no value: .+/) as string,
    })
  })

  it('with at most 300 characters of what has no value', async () => {
    const result = await evaluate(`predicate.${'m'.repeat(400)} == 1`)
    expect(result.kind === 'fails' ? result.detail.length : 0).toBeLessThanOrEqual('the condition has no value: '.length + 300)
  })
})

describe('the inputs of a condition', () => {
  it('are half a million values, and not one more', async () => {
    expect(await evaluate('true', numbers(499_998))).toEqual({ kind: 'holds' })
    expect(await evaluate('true', numbers(499_999))).toEqual({
      kind: 'unknown',
      detail: 'the predicate has more than 500000 values',
    })
  })

  it('keep their types: whole numbers, others, texts, yes and no, nothing, lists and maps', async () => {
    const predicate = { whole: 3, half: 0.5, huge: 1e300, text: 't', yes: true, nothing: null, list: [1], map: { a: { b: 2 } } }
    const expression =
      'type(predicate.whole) == int && type(predicate.half) == double && type(predicate.huge) == double && predicate.text == "t" && ' +
      'predicate.yes && predicate.nothing == null && predicate.list == [1] && predicate.map.a.b == 2'
    expect(await evaluate(expression, predicate)).toEqual({ kind: 'holds' })
  })
})

describe('what grows with its input is paid for', () => {
  const out = { kind: 'unknown', detail: 'the condition took more than 1000000 steps' }
  const text = 'x'.repeat(160_000)

  it.each([
    ['the size of a text', 'predicate.a.all(i, size(predicate.s) > 0)'],
    ['a search in a text', 'predicate.a.all(i, !predicate.s.contains("y"))'],
    ['a beginning of a text', 'predicate.a.all(i, predicate.s.startsWith("x"))'],
    ['an end of a text', 'predicate.a.all(i, predicate.s.endsWith("x"))'],
    ['a pattern in a text', 'predicate.a.all(i, predicate.s.matches("^x"))'],
    ['an order of texts', 'predicate.a.all(i, predicate.s <= predicate.s)'],
    ['equal texts', 'predicate.a.all(i, predicate.s == predicate.s)'],
    ['different texts', 'predicate.a.all(i, !(predicate.s != predicate.s))'],
    ['a text of a text', 'predicate.a.all(i, string(predicate.s) != "")'],
  ])('%s', async (_what, expression) => {
    const short = { a: numbers(100), s: 'xyx' }
    const long = { a: numbers(120), s: text }
    expect((await evaluate(expression, short)).kind).not.toBe('unknown')
    expect(await evaluate(expression, long)).toEqual(out)
  })

  it('a joined text, by a thirty-second of what it would cost to read it', async () => {
    const expression = 'predicate.a.all(i, predicate.s + "x" != "")'
    expect((await evaluate('predicate.a.map(i, predicate.s + "x").size() > 0', { a: numbers(120), s: text })).kind).toBe('holds')
    expect(await evaluate(expression, { a: numbers(120), s: text })).toEqual(out)
    expect(await evaluate('predicate.a.map(i, predicate.s + "x").size() > 0', { a: numbers(4000), s: text })).toEqual(out)
  })

  it.each([
    ['lists', [numbers(2000)]],
    ['maps', { list: numbers(2000) }],
  ])('what is inside of %s that are compared', async (_what, inside) => {
    const expression = 'predicate.a.all(i, predicate.b == predicate.c)'
    expect((await evaluate(expression, { a: numbers(20), b: inside, c: inside })).kind).toBe('holds')
    expect(await evaluate(expression, { a: numbers(300), b: inside, c: inside })).toEqual(out)
  })

  it('a search in a list and in a map', async () => {
    const map = Object.fromEntries(numbers(2000).map((index) => [`k${index}`, index]))
    expect(await evaluate('predicate.a.all(i, 1 in predicate.a)', { a: numbers(2000) })).toEqual(out)
    expect(await evaluate('predicate.a.all(i, "k1" in predicate.m)', { a: numbers(2000), m: map })).toEqual(out)
    expect((await evaluate('predicate.a.all(i, 1 in predicate.a)', { a: numbers(500) })).kind).toBe('holds')
  })

  it('anew in every evaluation', async () => {
    const condition = await compileCondition('predicate.a.all(i, !predicate.s.contains("y"))', '$')
    for (let time = 0; time < 3; time++)
      expect(condition({ predicate: { a: numbers(60), s: text }, artifact: null })).toEqual({ kind: 'holds' })
  })
})

describe('the text of a condition', () => {
  it.each(['(', '[', '{1:', '!(', '[('])('attack: %s, opened without end, is refused before it is parsed', async (opening) => {
    const brackets = opening.match(/[([{]/g)?.length ?? 0
    const most = Math.floor(48 / brackets)
    expect(await failureOf(opening.repeat(most + 1))).toBe('policy_malformed $.here: the condition opens more than 48 brackets at once')
    expect(await failureOf(opening.repeat(most))).not.toContain('brackets at once')
  })

  it('may open 48 brackets at once, and more one after another', async () => {
    expect(await failureOf(`${'('.repeat(48)}true${')'.repeat(48)}`)).toBe('compiled')
    expect(await failureOf(Array.from({ length: 40 }, () => '(true)').join(' && '))).toBe('compiled')
  })
})
