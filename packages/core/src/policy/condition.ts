/**
 * Conditions in CEL (cel-spec, langdef.md), compiled once, evaluated under a budget.
 *
 * A condition sees its inputs and nothing else. The evaluator has no budget of its own, so the expression is bounded before it is
 * planned (length, nodes, depth, loops inside loops) and charged while it runs: every turn of a loop and every function whose cost grows with its
 * argument pays, and what runs out is an error whatever the expression makes of it. The only caller of the CEL library.
 */
import type { CelInput, CelResult } from '@bufbuild/cel'
import { CountersignError } from '../failure.ts'
import type { JsonValue } from '../json/parse.ts'
import { boundExpression, boundText } from './condition-bounds.ts'

/** What a condition is evaluated over, by name. */
export type ConditionInputs = { readonly predicate: JsonValue; readonly artifact: JsonValue }

/** What a condition came to. Errors of evaluation (a missing field, a wrong type) are a no; a budget that ran out is neither yes nor no. */
export type ConditionResult =
  | { readonly kind: 'holds' }
  | { readonly kind: 'fails'; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string }

/** A compiled condition. */
export type Condition = (inputs: ConditionInputs) => ConditionResult

/** Steps of one evaluation. */
const maxSteps = 1_000_000
/** Values in the inputs of one evaluation. */
const maxInputValues = 500_000

/** Compiles a condition. Throws `policy_malformed`, with `path` as the place. */
export async function compileCondition(expression: string, path: string): Promise<Condition> {
  const { CelScalar, celEnv, celFunc, isCelError, isCelList, isCelMap, parse, plan } = await import('@bufbuild/cel')
  let left = 0
  let weight = 0
  const charge = (steps: number): void => {
    left -= steps
    if (left < 0) throw new CountersignError('limit_exceeded', `the condition took more than ${maxSteps} steps`)
  }
  const { BOOL, DYN } = CelScalar
  const sizeOf = (value: unknown): number => {
    if (typeof value === 'string') return 1 + value.length / 16
    return isCelList(value) || isCelMap(value) ? value.size : 1
  }
  const funcs = [
    celFunc('@turn', [BOOL], BOOL, (more) => (charge(1), more)),
    celFunc('@sized', [DYN], DYN, (value) => (charge(1 + sizeOf(value)), value as CelInput)),
    celFunc('@joined', [DYN], DYN, (value) => (charge(1 + sizeOf(value) / 32), value as CelInput)),
    celFunc(
      '@deep',
      [DYN],
      DYN,
      (value) => (charge(isCelList(value) || isCelMap(value) ? weight + value.size : 1 + sizeOf(value)), value as CelInput),
    ),
  ]
  let run: (inputs: Record<string, CelInput>) => CelResult
  try {
    boundText(expression)
    const parsed = parse(expression)
    boundExpression(parsed.expr)
    run = plan(celEnv({ funcs }), parsed)
  } catch (cause) {
    // Whatever the parser throws, also a stack that overflows, means that this is no condition.
    const detail = cause instanceof Error ? cause.message.slice(0, 300) : 'not an expression of CEL'
    throw new CountersignError('policy_malformed', `${path}: ${detail}`, { cause })
  }
  return ({ predicate, artifact }) => {
    const counter = { left: maxInputValues }
    const inputs = { predicate: toInput(predicate, counter), artifact: toInput(artifact, counter) }
    if (counter.left < 0) return { kind: 'unknown', detail: `the predicate has more than ${maxInputValues} values` }
    left = maxSteps
    weight = maxInputValues - counter.left
    const result = run(inputs)
    if (left < 0) return { kind: 'unknown', detail: `the condition took more than ${maxSteps} steps` }
    if (result === true) return { kind: 'holds' }
    if (result === false) return { kind: 'fails', detail: 'the condition is false' }
    return {
      kind: 'fails',
      detail: isCelError(result)
        ? `the condition has no value: ${result.message.slice(0, 300)}`
        : 'the condition is neither true nor false',
    }
  }
}

/** Maps have no prototype to reach; whole numbers are CEL's int, so that arithmetic with them works. */
function toInput(value: JsonValue, counter: { left: number }): CelInput {
  counter.left -= 1
  if (counter.left < 0) return null
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map((item) => toInput(item, counter))
  return new Map(Object.entries(value).map(([name, item]) => [name, toInput(item, counter)]))
}
