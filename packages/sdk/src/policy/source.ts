/** Policy files: YAML or JSON text to a policy, with file, line and column in every failure. */
import { CountersignError } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'
import { compilePolicy, type CompiledPolicy, type CompileOptions } from '@countersign/core/policy/compile'
import { parsePolicy } from '@countersign/core/policy/document'
import type { Document } from 'yaml'

const maxCharacters = 1024 * 1024

/**
 * Reads and compiles a policy. `name` is how messages call the file. YAML 1.2 without aliases and tags; JSON is a part of it.
 * Throws `policy_malformed` as `NAME:LINE:COLUMN: what`, `trust_missing` for a key that the policy asks for and that was not given.
 */
export async function loadPolicy(text: string, name: string, options: CompileOptions): Promise<CompiledPolicy> {
  return (await openPolicy(text, name, options)).policy
}

/** A compiled policy, and where in its file a path of the document is, as `NAME:LINE:COLUMN`. Throws as {@link loadPolicy}. */
export async function openPolicy(
  text: string,
  name: string,
  options: CompileOptions,
): Promise<{ readonly policy: CompiledPolicy; readonly placeOf: (path: string) => string }> {
  const { document, at } = await readDocument(text, name)
  try {
    const policy = await compilePolicy(parsePolicy(document.toJS({ maxAliasCount: 0 }) as JsonValue), options)
    return { policy, placeOf: (path) => at(offsetOf(document, readPath(path).steps ?? [])) }
  } catch (cause) {
    throw located(cause, document, at)
  }
}

type ReadDocument = { readonly document: Document.Parsed; readonly at: (offset: number) => string }

async function readDocument(text: string, name: string): Promise<ReadDocument> {
  const { isAlias, LineCounter, parseDocument, visit } = await import('yaml')
  if (text.length > maxCharacters) throw malformed(`${name}: ${text.length} characters`, { expected: `at most ${maxCharacters}` })
  const lineCounter = new LineCounter()
  let document: Document.Parsed
  try {
    document = parseDocument(text, { lineCounter, prettyErrors: false, version: '1.2', customTags: [], uniqueKeys: true, stringKeys: true })
  } catch (cause) {
    throw malformed(`${name}: not a document that can be read`, { cause })
  }
  const at = (offset: number): string => {
    const { line, col } = lineCounter.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw malformed(`${at(problem.pos[0])}: ${problem.message.split('\n', 1)[0] ?? 'malformed YAML'}`)
  visit(document, {
    Node: (_key, node) => {
      // An alias can make a small file a great value, and lets one place of a policy change another.
      if (isAlias(node) || node.anchor !== undefined)
        throw malformed(`${at(node.range?.[0] ?? 0)}: anchors and aliases are not read in a policy`)
    },
  })
  return { document, at }
}

/** A failure of a place in the document as one of a place in the file; others as they are. */
function located(cause: unknown, document: Document.Parsed, at: (offset: number) => string): unknown {
  if (!(cause instanceof CountersignError)) return cause
  const { steps, rest } = readPath(cause.message)
  if (steps === undefined) return cause
  const unknownField = /^unknown field ("(?:[^"\\]|\\.)*")/.exec(rest)?.[1]
  const named = unknownField === undefined ? steps : [...steps, String(JSON.parse(unknownField))]
  const place = at(offsetOf(document, named))
  return new CountersignError(cause.code, `${place}: ${cause.message}`, {
    ...(cause.expected === undefined ? {} : { expected: cause.expected }),
    ...(cause.found === undefined ? {} : { found: cause.found }),
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
    cause,
  })
}

/** The path at the start of a message, as core's readers write it: `$.a[2]["b c"]: `. */
function readPath(message: string): { readonly steps?: readonly (string | number)[]; readonly rest: string } {
  if (!message.startsWith('$')) return { rest: message }
  const steps: (string | number)[] = []
  let rest = message.slice(1)
  for (;;) {
    const match = /^(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\])/.exec(rest)
    if (match === null) return { steps, rest: rest.replace(/^: /, '') }
    steps.push(match[1] ?? (match[2] === undefined ? String(JSON.parse(match[3] ?? '""')) : Number(match[2])))
    rest = rest.slice(match[0].length)
  }
}

/** Where the deepest part of a path that exists begins: its key in a mapping, its item in a sequence. */
function offsetOf(document: Document.Parsed, steps: readonly (string | number)[]): number {
  let node: unknown = document.contents
  let offset = rangeOf(node) ?? 0
  for (const step of steps) {
    const items = typeof node === 'object' && node !== null && 'items' in node && Array.isArray(node.items) ? (node.items as unknown[]) : []
    const next = typeof step === 'number' ? items[step] : items.find((item) => keyOf(item) === step)
    if (next === undefined) return offset
    const pair = typeof step === 'string' ? (next as { key: unknown; value: unknown }) : undefined
    offset = rangeOf(pair?.key ?? next) ?? offset
    node = pair === undefined ? next : pair.value
  }
  return offset
}

function keyOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null || !('key' in item)) return undefined
  const { key } = item
  return typeof key === 'object' && key !== null && 'value' in key ? key.value : undefined
}

function rangeOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node) || !Array.isArray(node.range)) return undefined
  const [start] = node.range as unknown[]
  return typeof start === 'number' ? start : undefined
}

function malformed(detail: string, parts: { readonly expected?: string; readonly cause?: unknown } = {}): CountersignError {
  return new CountersignError('policy_malformed', detail, parts)
}
