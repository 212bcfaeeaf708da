/** The expressions of Kyverno's `ImageValidatingPolicy`: those idioms of its CEL that say who must have signed, and what an attestation must say. */
import { compileCondition } from '../policy/condition.ts'
import type { Draft } from './draft.ts'
import { restrictionOf } from './kyverno-cel.ts'
import type { LossLog } from './losses.ts'

const maxExpression = 8192

/** What expressions demand together: attestors by name, and conditions on an attestation by name. */
export type CelDemand = {
  readonly attestation?: string
  readonly attestors: readonly string[]
  readonly threshold: number
  readonly conditions: string[]
  readonly path: string
  readonly images?: readonly string[]
}

type Around = { readonly draft: Draft; readonly log: LossLog; readonly types: ReadonlyMap<string, string> }

const mapOf = String.raw`images\.(?:containers|initContainers|ephemeralContainers)\.map\((\w+), `
const signatures = new RegExp(String.raw`^${mapOf}verifyImageSignatures\(\1, \[([\w., -]*)\]\)\)\.all\((\w+), \3 (>|>=) (\d+)\)$`)
const attested = new RegExp(
  String.raw`^${mapOf}verifyAttestationSignatures\(\1, attestations\.(\w+), \[([\w., -]*)\]\)\)\.all\((\w+), \4 (>|>=) (\d+)\)$`,
)
const payload = new RegExp(String.raw`^${mapOf}(.*extractPayload\(\1, attestations\.(\w+)\).*)\)\.all\((\w+), \4\)$`, 's')

/** Adds what an expression demands to the demands; what is none of the idioms is a loss. `types` gives the predicate type of an attestation by its name. */
export async function readValidation(expression: string, path: string, demands: CelDemand[], around: Around): Promise<void> {
  if (expression.length > maxExpression) return around.log.weaker(path, `an expression of ${expression.length} characters`)
  const flat = spaced(expression.trim())
  for (const part of flat.split(/ && (?=images\.)/)) await readPart(part, path, demands, around)
}

/** Written one way, but for what stands in quotes. */
function spaced(expression: string): string {
  return expression
    .split(/("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/)
    .map((text, index) => {
      if (index % 2 === 1) return text
      return text
        .replaceAll(/\s+/g, ' ')
        .replaceAll(/ ?([[\](),]) ?/g, '$1')
        .replaceAll(',', ', ')
        .replaceAll(/\)(?=(?:&&|\|\||[<>=!]))/g, ') ')
        .replaceAll(/(?<=&&|\|\||[<>=])\(/g, ' (')
    })
    .join('')
}

async function readPart(part: string, path: string, demands: CelDemand[], { log, draft, types }: Around): Promise<void> {
  const restriction = restrictionOf(part)
  if (restriction) {
    draft.unmatched = 'deny'
    return
  }
  const signed = signatures.exec(part)
  const proven = attested.exec(part)
  const [names, sign, bound] = signed === null ? [proven?.[3], proven?.[5], proven?.[6]] : [signed[2], signed[4], signed[5]]
  if (names !== undefined) {
    const attestors = [...names.matchAll(/attestors\.(\w+)/g)].map((match) => match[1] ?? '')
    const threshold = Math.max(Number(bound) + (sign === '>' ? 1 : 0), 1)
    const demand = { attestors, threshold, conditions: [], path, ...(proven?.[2] === undefined ? {} : { attestation: proven[2] }) }
    // The same for init containers and ephemeral ones is the same demand: an image is judged wherever it is to run.
    if (!demands.some((each) => each.attestation === demand.attestation && same(each, demand))) demands.push(demand)
    return
  }
  const content = payload.exec(part)
  const target = demands.filter(({ attestation }) => attestation === content?.[3])
  const condition = content?.[2]?.replaceAll(/extractPayload\(\w+, attestations\.\w+\)/g, 'predicate')
  const known = content?.[3] !== undefined && types.has(content[3])
  if (condition === undefined || !known || target.length === 0 || !(await compiles(condition)))
    return log.weaker(path, 'an expression of CEL that is none of the idioms for signatures and attestations')
  for (const demand of target) if (!demand.conditions.includes(condition)) demand.conditions.push(condition)
}

function same(a: CelDemand, b: CelDemand): boolean {
  return a.threshold === b.threshold && a.attestors.join() === b.attestors.join()
}

async function compiles(condition: string): Promise<boolean> {
  try {
    await compileCondition(condition, 'condition')
    return true
  } catch {
    return false
  }
}
