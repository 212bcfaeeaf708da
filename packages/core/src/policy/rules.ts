/** Reads the groups and rules of a policy. */
import {
  entries,
  isAbsent,
  items,
  members,
  oneMember,
  optional,
  optionalItems,
  refuse,
  refuseTwice,
  text,
  textMap,
  placed,
  type Place,
} from '../json/shape.ts'
import { predicateTypeOf } from '../predicate/types.ts'
import { signaturePredicateType } from '../statement/statement.ts'
import { bounded, isObject, readBoolean, readDecision, readDuration, readMatch, readMoment, readName } from './fields.ts'
import { readPositive } from './identities.ts'
import { isOpen } from './name-match.ts'
import type { Distinct, Party, PolicyIdentity, PolicyRule, TermsDemand, TimeDemand } from './model.ts'

const maxGroups = 64
const maxParties = 64
const maxDepth = 4
const maxRules = 64
const maxRoles = 16
const maxPlatforms = 32
const maxAnnotations = 32
const maxCondition = 4096

/** Parties of all rules together, those of a named group each time that it is named: groups of groups would multiply without end. */
const maxExpanded = 10_000

/** What names in `by` and `of` may refer to, and how many of them may still be resolved. */
export type Names = {
  readonly identities: ReadonlyMap<string, PolicyIdentity>
  readonly groups: ReadonlyMap<string, Place>
  readonly left: { parties: number }
}

/** Names to resolve from, with a fresh bound. */
export function namesOf(identities: ReadonlyMap<string, PolicyIdentity>, groups: ReadonlyMap<string, Place>): Names {
  return { identities, groups, left: { parties: maxExpanded } }
}

/** Reads `groups` as places: a group is read where it is used, so that a circle of groups is found by its depth. */
export function readGroups(at: Place, identities: ReadonlyMap<string, PolicyIdentity>): ReadonlyMap<string, Place> {
  if (isAbsent(at)) return new Map()
  const groups = new Map<string, Place>()
  for (const [name, place] of entries(at, maxGroups)) {
    readName(placed(place, name))
    if (identities.has(name)) refuse(place, `${name} is an identity too`)
    groups.set(name, place)
  }
  for (const place of groups.values()) readGroup(place, namesOf(identities, groups), 1)
  return groups
}

/** Reads who must sign: a name, or a group written in place, or `{allOf}` and `{anyOf}` as shorter forms of one. */
export function readParty(at: Place, names: Names, depth = 0): Party {
  names.left.parties -= 1
  if (names.left.parties < 0) refuse(at, `more than ${maxExpanded} parties, with those of groups inside groups`)
  if (isObject(at)) return readGroup(at, names, depth + 1)
  const name = text(at)
  if (names.identities.has(name)) return { kind: 'identity', name, path: at.path }
  const group = names.groups.get(name)
  if (group !== undefined) return { ...readGroup(group, names, depth + 1), name }
  return refuse(at, 'names no identity and no group', { found: name.slice(0, 80) })
}

function readGroup(at: Place, names: Names, depth: number): Extract<Party, { kind: 'group' }> {
  if (depth > maxDepth) return refuse(at, `groups inside each other deeper than ${maxDepth} levels, or in a circle`)
  const field = members(at, ['threshold', 'of', 'allOf', 'anyOf', 'distinct', 'roles'])
  const form = oneMember(at, field, ['of', 'allOf', 'anyOf'])
  const of = items(field(form), maxParties).map((place) => readParty(place, names, depth))
  if (of.length === 0) return refuse(field(form), 'nobody: such a group would be vacuous')
  const threshold = form === 'of' ? readPositive(field('threshold')) : form === 'allOf' ? of.length : 1
  if (form !== 'of' && !isAbsent(field('threshold'))) refuse(field('threshold'), `${form} has no threshold`)
  if (threshold > mostSigners(of, names)) refuse(field('threshold'), `${threshold} of ${of.length} can never be reached`)
  const roles = optionalItems(field('roles'), maxRoles).map(readName)
  if (roles.length > threshold) refuse(field('roles'), `${roles.length} roles need as many signers, and ${threshold} are demanded`)
  const distinct = optional(field('distinct'), readDistinct) ?? 'identity'
  const group: Extract<Party, { kind: 'group' }> = { kind: 'group', name: at.path, threshold, of, distinct, roles, path: at.path }
  if (distinct !== 'identity' || roles.length > 0) demandPersons(group, at, names)
  return group
}

/** Upper bound of what can count: a certificate identity with a pattern may stand for many signers. */
function mostSigners(of: readonly Party[], { identities }: Names): number {
  const open = of.some(({ name }) => {
    const signer = identities.get(name)?.signer
    return signer !== undefined && isOpen(signer)
  })
  return open ? Number.POSITIVE_INFINITY : of.length
}

/** A key has no person in itself: two keys of one person would count as two. */
function demandPersons(group: Extract<Party, { kind: 'group' }>, at: Place, names: Names): void {
  for (const party of group.of) {
    if (party.kind === 'group') demandPersons(party, at, names)
    else {
      const identity = names.identities.get(party.name)
      if (identity?.signer.kind === 'keys' && identity.person === undefined) {
        refuse(at, `tells people or roles apart, and nothing says whose key ${party.name} is`, {
          hint: `Give identity ${party.name} a person.`,
        })
      }
    }
  }
}

function readDistinct(at: Place): Distinct {
  const word = text(at)
  return word === 'identity' || word === 'person' || word === 'role' ? word : refuse(at, 'expected identity, person or role')
}

/** Reads `require`: at least one rule, each with a name of its own. Fails with the code of the place. */
export function readRules(at: Place, names: Names): readonly PolicyRule[] {
  const rules = items(at, maxRules).map((place) => readRule(place, names))
  if (rules.length === 0) return refuse(at, 'no rule: such a policy would allow everything')
  refuseTwice(at, rules, 'rules')
  return rules
}

function readRule(at: Place, names: Names): PolicyRule {
  const field = members(at, ['name', 'match', 'signature', 'attestation', 'platforms', 'onMissing', 'onFail'])
  const kind = oneMember(at, field, ['signature', 'attestation', 'platforms'])
  const match = optional(field('match'), (place) => readMatch(place))
  return {
    name: readName(field('name')),
    ...(match === undefined ? {} : { match }),
    demand:
      kind === 'platforms'
        ? readPlatforms(field(kind))
        : kind === 'signature'
          ? readSigned(field(kind), names)
          : readAttested(field(kind), names),
    onMissing: readDecision(field('onMissing')),
    onFail: readDecision(field('onFail')),
    path: at.path,
  }
}

const timeFields = ['time', 'logged', 'before', 'after', 'maxAge']

function readSigned(at: Place, names: Names): PolicyRule['demand'] {
  const field = members(at, ['by', 'annotations', 'expires', 'maxLifetime', 'boundName', ...timeFields])
  const annotations = isAbsent(field('annotations')) ? {} : textMap(field('annotations'), maxAnnotations)
  return {
    kind: 'signature',
    by: readParty(field('by'), names),
    annotations: new Map(Object.entries(annotations)),
    time: readTimes(field),
    terms: readTerms(field),
  }
}

function readTerms(field: (name: string) => Place): TermsDemand {
  const isRequired = (name: string): boolean => {
    if (isAbsent(field(name))) return false
    return text(field(name)) === 'required' || refuse(field(name), 'expected required')
  }
  const maxLifetimeMs = optional(field('maxLifetime'), readDuration)
  const expires = isRequired('expires') || maxLifetimeMs !== undefined
  return { expires, ...(maxLifetimeMs === undefined ? {} : { maxLifetimeMs }), boundName: isRequired('boundName') }
}

function readAttested(at: Place, names: Names): PolicyRule['demand'] {
  const field = members(at, ['type', 'by', 'condition', 'newest', ...timeFields])
  const type = bounded(field('type'))
  const predicateType = predicateTypeOf(type)
  if (predicateType === undefined)
    return refuse(field('type'), 'not a predicate type', { expected: 'a URI or a short name', found: type.slice(0, 80) })
  if (predicateType === signaturePredicateType) return refuse(field('type'), 'is the type of signatures, which are no attestations')
  const condition = optional(field('condition'), text)
  if (condition !== undefined && (condition.trim() === '' || condition.length > maxCondition)) {
    return refuse(field('condition'), `${condition.length} characters`, { expected: `1 to ${maxCondition}` })
  }
  return {
    kind: 'attestation',
    predicateType,
    by: readParty(field('by'), names),
    ...(condition === undefined ? {} : { condition }),
    newest: readBoolean(field('newest'), false),
    time: readTimes(field),
  }
}

function readTimes(field: (name: string) => Place): TimeDemand {
  const required = isAbsent(field('time')) ? false : text(field('time')) === 'required' || refuse(field('time'), 'expected required')
  const beforeMs = optional(field('before'), readMoment)
  const afterMs = optional(field('after'), readMoment)
  const maxAgeMs = optional(field('maxAge'), readDuration)
  if (beforeMs !== undefined && afterMs !== undefined && beforeMs <= afterMs)
    refuse(field('before'), 'no time is before this and after the other')
  return {
    required,
    logged: readBoolean(field('logged'), false),
    ...(beforeMs === undefined ? {} : { beforeMs }),
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
  }
}

function readPlatforms(at: Place): PolicyRule['demand'] {
  const platforms = items(at, maxPlatforms).map((place) => {
    const platform = text(place)
    return /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/.test(platform)
      ? platform
      : refuse(place, 'not a platform', { expected: 'as in linux/amd64 or linux/arm/v7', found: platform.slice(0, 80) })
  })
  return platforms.length === 0 ? refuse(at, 'no platform') : { kind: 'platforms', platforms }
}
