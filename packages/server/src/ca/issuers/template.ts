/**
 * Templates over claims: the part of Go's text/template that configurations of Fulcio use, compiled once.
 *
 * `{{ .claim }}`, `{{ index . "claim" }}`, `{{ if eq OPERAND "text" }}…{{ else }}…{{ end }}` and `{{ if .claim }}…{{ else }}…{{ end }}`, which asks whether the
 * claim is there and not empty. Text without braces is the name of one claim. Values are put in as they are and never read again:
 * braces in a claim are text.
 */
import { CountersignError } from '@countersign/core/failure'

/** Gives the text, or the name of the first claim that is missing. */
export type Template = (claims: ReadonlyMap<string, string>) => Rendered

/** Text, or the claim that it needs and does not have. */
export type Rendered = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly missing: string }

type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'claim'; readonly name: string }
  | {
      readonly kind: 'if'
      readonly name: string
      readonly equals: string | undefined
      readonly met: readonly Node[]
      readonly else: readonly Node[]
    }

const maxCharacters = 4096
const maxDepth = 4

/** Compiles a template. Throws `config_malformed` for what is not of the subset. */
export function compileTemplate(source: string): Template {
  if (source.length > maxCharacters) throw malformed(`${source.length} characters`)
  if (!source.includes('{{')) {
    if (source.trim() === '' || source.includes('}}')) throw malformed(JSON.stringify(source.slice(0, 80)))
    const nodes: readonly Node[] = [{ kind: 'claim', name: source.trim() }]
    return (claims) => render(nodes, claims)
  }
  const nodes = compile(source)
  return (claims) => render(nodes, claims)
}

type Frame = {
  readonly name: string
  readonly equals: string | undefined
  readonly met: Node[]
  else: Node[] | undefined
  readonly outer: Node[]
}

function compile(source: string): readonly Node[] {
  const root: Node[] = []
  const open: Frame[] = []
  let into = root
  let at = 0
  for (;;) {
    const start = source.indexOf('{{', at)
    if (start !== at) into.push({ kind: 'text', text: source.slice(at, start === -1 ? undefined : start) })
    if (start === -1) break
    const end = source.indexOf('}}', start)
    if (end === -1) throw malformed('an action does not end')
    into = applyAction(readAction(source.slice(start + 2, end).trim()), into, open)
    at = end + 2
  }
  if (open.length > 0) throw malformed('an "if" does not end')
  return root
}

type Action =
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'if'; readonly name: string; readonly equals: string | undefined }
  | { readonly kind: 'else' }
  | { readonly kind: 'end' }

/** Gives the list into which the next nodes go. */
function applyAction(action: Action, into: Node[], open: Frame[]): Node[] {
  if (action.kind === 'claim') {
    into.push(action)
    return into
  }
  if (action.kind === 'if') {
    if (open.length === maxDepth) throw malformed('conditions are nested too deeply')
    const met: Node[] = []
    open.push({ name: action.name, equals: action.equals, met, else: undefined, outer: into })
    return met
  }
  const frame = open.at(-1)
  if (frame === undefined) throw malformed(`"${action.kind}" without "if"`)
  if (action.kind === 'else') {
    if (frame.else !== undefined) throw malformed('two "else" of one "if"')
    frame.else = []
    return frame.else
  }
  open.pop()
  frame.outer.push({ kind: 'if', name: frame.name, equals: frame.equals, met: frame.met, else: frame.else ?? [] })
  return frame.outer
}

const operand = String.raw`(?:\.([A-Za-z_][A-Za-z0-9_]{0,127})|\(?index \. "([^"\\]{1,128})"\)?)`
const claimAction = new RegExp(`^${operand}$`)
const ifAction = new RegExp(`^if +(?:eq +${operand} +"([^"\\\\]{0,256})"|${operand})$`)

function readAction(text: string): Action {
  if (text === 'else' || text === 'end') return { kind: text }
  const claim = claimAction.exec(text)
  if (claim !== null) return { kind: 'claim', name: (claim[1] ?? claim[2]) as string }
  const condition = ifAction.exec(text)
  if (condition === null) throw malformed(`an action that is not supported: ${JSON.stringify(text.slice(0, 80))}`)
  const [, eqName, eqIndex, equals, name, index] = condition
  return { kind: 'if', name: (eqName ?? eqIndex ?? name ?? index) as string, equals }
}

function render(nodes: readonly Node[], claims: ReadonlyMap<string, string>): Rendered {
  let text = ''
  for (const node of nodes) {
    const part = renderNode(node, claims)
    if (!part.ok) return part
    text += part.text
  }
  return { ok: true, text }
}

function renderNode(node: Node, claims: ReadonlyMap<string, string>): Rendered {
  if (node.kind === 'text') return { ok: true, text: node.text }
  const value = claims.get(node.name)
  if (node.kind === 'claim') return value === undefined ? { ok: false, missing: node.name } : { ok: true, text: value }
  if (node.equals === undefined) return render(value === undefined || value === '' ? node.else : node.met, claims)
  if (value === undefined) return { ok: false, missing: node.name }
  return render(value === node.equals ? node.met : node.else, claims)
}

function malformed(found: string): CountersignError {
  return new CountersignError('config_malformed', `not a template: ${found}`, {
    expected: '{{ .claim }}, {{ if eq .claim "text" }}…{{ else }}…{{ end }}, or the name of a claim',
  })
}
