/** Bounds an expression of CEL before it is planned, and makes what costs pay: see `condition.ts`. */
import { CountersignError } from '../failure.ts'

/** The parts of `cel.expr.Expr` (cel-spec, syntax.proto) that matter here. Parsed by the library, so its shape is its promise. */
export type CelExpression = { id: bigint; exprKind: { case: string | undefined; value?: unknown } }

type Call = { function: string; target?: CelExpression; args: CelExpression[] }
type Comprehension = Record<'iterRange' | 'accuInit' | 'loopCondition' | 'loopStep' | 'result', CelExpression> & {
  iterVar: string
  iterVar2: string
  accuVar: string
}
type Struct = { messageName: string; entries: { keyKind: { case: string | undefined; value?: unknown }; value?: CelExpression }[] }

const maxNodes = 1000
const maxDepth = 48
const maxLoops = 2

/** Brackets open at once. The parser tries each of several readings again at every level, so that the text is bounded before it is parsed. */
const maxOpenBrackets = 48

/** Bounds the text of an expression. Brackets inside of strings count as well. Throws `limit_exceeded`. */
export function boundText(expression: string): void {
  let open = 0
  for (const character of expression) {
    if ('([{'.includes(character)) open += 1
    else if (')]}'.includes(character)) open -= 1
    if (open > maxOpenBrackets)
      throw new CountersignError('limit_exceeded', `the condition opens more than ${maxOpenBrackets} brackets at once`)
  }
}

const inputs: ReadonlySet<string> = new Set(['predicate', 'artifact'])
const types: ReadonlySet<string> = new Set(['bool', 'bytes', 'double', 'int', 'list', 'map', 'null_type', 'string', 'uint', 'type'])

/** Functions that may be called, and whether their arguments pay for their size (`+` shares, `==` may go deep). */
const functions: ReadonlyMap<string, 'free' | '@sized' | '@joined' | '@deep'> = new Map([
  ...[
    '_&&_',
    '_||_',
    '!_',
    '_?_:_',
    '_[_]',
    '-_',
    '_-_',
    '_*_',
    '_/_',
    '_%_',
    '@not_strictly_false',
    '__not_strictly_false__',
    'dyn',
    'type',
  ].map((name) => [name, 'free'] as const),
  ...['size', 'contains', 'startsWith', 'endsWith', 'matches', '_<_', '_<=_', '_>_', '_>=_', '@in', '_in_'].map(
    (name) => [name, '@sized'] as const,
  ),
  ...['int', 'uint', 'double', 'string', 'bytes', 'bool', 'timestamp', 'duration'].map((name) => [name, '@sized'] as const),
  ...['getFullYear', 'getMonth', 'getDate', 'getDayOfMonth', 'getDayOfWeek', 'getDayOfYear', 'getHours', 'getMinutes', 'getSeconds'].map(
    (name) => [name, 'free'] as const,
  ),
  ['getMilliseconds', 'free'],
  ['_+_', '@joined'],
  ['_==_', '@deep'],
  ['_!=_', '@deep'],
])

type Scope = { readonly names: ReadonlySet<string>; readonly depth: number; readonly loops: number }

/** Refuses what is too large, too deep, unknown or out of reach, and rewrites loops and calls in place so that they pay. Throws `limit_exceeded`, `policy_malformed`. */
export function boundExpression(root: CelExpression): void {
  const count = { nodes: 0 }
  visit(root, { names: new Set([...inputs, ...types]), depth: 0, loops: 0 }, count)
}

function visit(node: CelExpression, scope: Scope, count: { nodes: number }): void {
  count.nodes += 1
  if (count.nodes > maxNodes) throw new CountersignError('limit_exceeded', `the condition has more than ${maxNodes} parts`)
  if (scope.depth > maxDepth) throw new CountersignError('limit_exceeded', `the condition nests deeper than ${maxDepth} levels`)
  const inner = { ...scope, depth: scope.depth + 1 }
  const { value } = node.exprKind
  switch (node.exprKind.case) {
    case 'constExpr':
      return
    case 'identExpr':
      return demandKnown((value as { name: string }).name, scope)
    case 'selectExpr':
      return visit((value as { operand: CelExpression }).operand, inner, count)
    case 'listExpr':
      return (value as { elements: CelExpression[] }).elements.forEach((element) => visit(element, inner, count))
    case 'structExpr':
      return visitMap(value as Struct, inner, count)
    case 'callExpr':
      return visitCall(value as Call, inner, count)
    case 'comprehensionExpr':
      return visitLoop(value as Comprehension, inner, count)
    case undefined:
    default:
      throw malformed('an expression that is not supported')
  }
}

function demandKnown(name: string, { names }: Scope): void {
  if (!names.has(name)) throw malformed(`${JSON.stringify(name.slice(0, 80))} is not known; a condition sees predicate and artifact`)
}

function visitMap(struct: Struct, scope: Scope, count: { nodes: number }): void {
  if (struct.messageName !== '') throw malformed('messages of protobuf are not available')
  for (const { keyKind, value } of struct.entries) {
    if (keyKind.case === 'mapKey') visit(keyKind.value as CelExpression, scope, count)
    if (value !== undefined) visit(value, scope, count)
  }
}

function visitCall(call: Call, scope: Scope, count: { nodes: number }): void {
  const cost = functions.get(call.function)
  if (cost === undefined) throw malformed(`there is no function ${JSON.stringify(call.function.slice(0, 80))}`)
  // Hostile: a pattern out of a predicate is a program of the attestation's author.
  if (call.function === 'matches' && call.args.at(-1)?.exprKind.case !== 'constExpr')
    throw malformed('the pattern of matches must be written in the condition')
  if (call.target !== undefined) visit(call.target, scope, count)
  for (const argument of call.args) visit(argument, scope, count)
  if (cost === 'free') return
  if (call.target !== undefined) call.target = paying(cost, call.target)
  call.args = call.args.map((argument) => (argument.exprKind.case === 'constExpr' ? argument : paying(cost, argument)))
}

function visitLoop(loop: Comprehension, scope: Scope, count: { nodes: number }): void {
  if (scope.loops >= maxLoops)
    throw new CountersignError('limit_exceeded', `the condition has loops inside each other deeper than ${maxLoops} levels`)
  visit(loop.iterRange, scope, count)
  visit(loop.accuInit, scope, count)
  const names = new Set([...scope.names, loop.iterVar, loop.iterVar2, loop.accuVar])
  const body = { ...scope, names, loops: scope.loops + 1 }
  visit(loop.loopCondition, body, count)
  visit(loop.loopStep, body, count)
  visit(loop.result, body, count)
  loop.loopCondition = paying('@turn', loop.loopCondition)
}

function paying(name: string, argument: CelExpression): CelExpression {
  const value = { $typeName: 'cel.expr.Expr.Call', function: name, args: [argument] }
  return { $typeName: 'cel.expr.Expr', id: argument.id, exprKind: { case: 'callExpr', value } } as CelExpression
}

function malformed(detail: string): CountersignError {
  return new CountersignError('policy_malformed', detail)
}
