/** A policy while it is put together from another tool's. */
import { CountersignError } from '../failure.ts'
import type { JsonObject, JsonValue } from '../json/parse.ts'
import { policyApiVersion } from '../policy/document.ts'
import type { Decision } from '../policy/model.ts'
import { gravest } from '../policy/verdict.ts'
import { nameFrom } from './names.ts'

/** A rule: of which images it speaks, what it demands, and what it comes to. */
export type DraftRule = {
  readonly name: string
  readonly images: readonly string[]
  readonly body: { readonly signature: JsonObject } | { readonly attestation: JsonObject }
  readonly decision: Decision
}

/** What was put together so far. */
export type Draft = {
  readonly identities: Map<string, JsonObject>
  readonly rules: DraftRule[]
  readonly mirrors: JsonObject[]
  /** What was said of the texts of all images, to be held against the rules when all are known. */
  readonly restrictions: Restriction[]
  unmatched?: Decision
}

/** Which of these globs speak of images that are refused there, and what says so. */
export type Restriction = {
  readonly refusedOf: (globs: readonly string[]) => readonly string[]
  readonly lost: (globs: readonly string[]) => void
}

/** Nothing yet. What no rule speaks of is denied where nothing says otherwise. */
export function newDraft(): Draft {
  return { identities: new Map(), rules: [], mirrors: [], restrictions: [] }
}

/** What images come to that no rule speaks of; of several documents the gravest, since each of them decides. */
export function setUnmatched(draft: Draft, decision: Decision): void {
  draft.unmatched = gravest([draft.unmatched ?? 'allow', decision])
}

/** The name of an identity; one that is there already is not written twice. */
export function addIdentity(draft: Draft, wish: string, identity: JsonObject): string {
  const text = JSON.stringify(identity)
  for (const [name, known] of draft.identities) if (JSON.stringify(known) === text) return name
  const name = free(nameFrom(wish), (each) => draft.identities.has(each))
  draft.identities.set(name, identity)
  return name
}

/** Adds a rule under a name of its own. */
export function addRule(draft: Draft, rule: DraftRule): void {
  const name = free(nameFrom(rule.name), (each) => draft.rules.some((other) => other.name === each))
  draft.rules.push({ ...rule, name })
}

function free(wish: string, taken: (name: string) => boolean): string {
  if (!taken(wish)) return wish
  let n = 2
  while (taken(`${wish}-${n}`)) n += 1
  return `${wish}-${n}`
}

/** `threshold` of some parties, in the shortest form. The same party twice is one. */
export function partyOf(parties: readonly JsonValue[], threshold: number): JsonValue {
  const distinct = [...new Map(parties.map((party) => [JSON.stringify(party), party])).values()]
  const needed = Math.min(threshold, distinct.length)
  const [only] = distinct
  if (distinct.length === 1 && only !== undefined) return only
  if (needed === 1) return { anyOf: distinct }
  return needed === distinct.length ? { allOf: distinct } : { threshold: needed, of: distinct }
}

/** Says of each restriction which rules admit what it refuses: here a signature suffices. */
export function settleRestrictions({ restrictions, rules }: Draft): void {
  const globs = [...new Set(rules.flatMap((rule) => rule.images))]
  for (const { refusedOf, lost } of restrictions) {
    const wider = refusedOf(globs)
    if (wider.length > 0) lost(wider)
  }
}

/** The policy document. Throws `policy_malformed` when nothing demands a signature. */
export function finishDraft(draft: Draft, name: string): JsonObject {
  if (draft.rules.length === 0) {
    throw new CountersignError('policy_malformed', 'there is nothing in it that demands a signature and can be carried over')
  }
  const images = [...new Set(draft.rules.flatMap((rule) => rule.images))]
  return {
    apiVersion: policyApiVersion,
    kind: 'ArtifactPolicy',
    metadata: { name: nameFrom(name) },
    match: { images, unmatched: draft.unmatched ?? 'deny' },
    identities: Object.fromEntries(draft.identities),
    ...(draft.mirrors.length === 0
      ? {}
      : { mirrors: [...new Map(draft.mirrors.map((mirror) => [JSON.stringify(mirror), mirror])).values()] }),
    require: draft.rules.map((rule) => ({
      name: rule.name,
      ...(sameSet(rule.images, images) ? {} : { match: { images: [...new Set(rule.images)] } }),
      ...rule.body,
      ...(rule.decision === 'deny' ? {} : { onMissing: rule.decision, onFail: rule.decision }),
    })),
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return new Set(a).size === b.length && b.every((each) => a.includes(each))
}
