/** Under which names an image may be used that was signed for one: its own, and those of the mirrors that the policy names. */
import { CountersignError } from '../failure.ts'
import { members, refuse, type Place } from '../json/shape.ts'
import { parseReference } from '../oci/reference.ts'
import { bounded } from './fields.ts'
import type { PolicyArtifact } from './match.ts'
import type { Mirror } from './model.ts'

/**
 * Reads `{ from, to }`: both a `registry/repository`, or both a beginning of one with `/**` after it. What stands for the stars must be the same
 * on both sides. No other globs: which name a mirror gives must follow from the name alone. Fails with the code of the place.
 */
export function readMirror(at: Place): Mirror {
  const field = members(at, ['from', 'to'])
  const [from, to] = [readSide(field('from')), readSide(field('to'))]
  if (from.endsWith('/') !== to.endsWith('/')) refuse(at, 'one side ends with /** and the other does not')
  return { from, to }
}

/** The canonical name; a beginning keeps its slash at the end. */
function readSide(at: Place): string {
  const text = bounded(at)
  const open = text.endsWith('/**')
  const name = open ? text.slice(0, -3) : text
  const expected = 'REGISTRY/REPOSITORY, or the beginning of one and /**'
  if (name.includes('*') || name === '') refuse(at, 'not a name', { expected })
  // A registry alone is no reference; with a repository behind it, it is. Of two parts, for which Docker Hub has no other spelling.
  const place = placeOf(open ? `${name}/x/x` : name)
  if (place === undefined) return refuse(at, 'not a name', { expected, found: text.slice(0, 80) })
  return open ? place.slice(0, -'x/x'.length) : place
}

function placeOf(name: string): string | undefined {
  try {
    const { place, tag, digest } = parseReference(name)
    if (place.kind !== 'registry' || tag !== 'latest' || digest !== undefined || name.endsWith(':latest')) return undefined
    return `${place.registry}/${place.repository}`
  } catch (cause) {
    if (cause instanceof CountersignError) return undefined
    throw cause
  }
}

/** Why a signature for `signed` does not hold for the artifact under the name that it has here. */
export function nameProblem(signed: string | undefined, artifact: PolicyArtifact, mirrors: readonly Mirror[]): string | undefined {
  if (signed === undefined) return 'it is not bound to a name'
  const place = artifact.kind === 'image' ? artifact.reference.place : undefined
  if (place?.kind !== 'registry') return `it is bound to ${signed}, and what is judged has no name in a registry`
  const found = `${place.registry}/${place.repository}`
  if (signed === found || mirrors.some((mirror) => mirrored(signed, mirror) === found)) return undefined
  return `it is bound to another name: expected ${found}, found ${signed}`
}

function mirrored(name: string, { from, to }: Mirror): string | undefined {
  if (!from.endsWith('/')) return name === from ? to : undefined
  return name.startsWith(from) && name.length > from.length ? `${to}${name.slice(from.length)}` : undefined
}
