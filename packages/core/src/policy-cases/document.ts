/**
 * Reads a document of cases: `kind: PolicyCases`, `apiVersion: countersign.dev/v1`, as a JSON value.
 *
 * What is unknown is refused: a misspelt expectation would expect nothing. Every failure is `policy_malformed` and begins with the place.
 */
import { parseDigest, type Digest } from '../digest.ts'
import { CountersignError, isFailureCode, type FailureCode } from '../failure.ts'
import type { JsonValue } from '../json/parse.ts'
import {
  count,
  documentPlace,
  entries,
  isAbsent,
  items,
  members,
  nonEmptyText,
  oneMember,
  oneOf,
  optional,
  optionalItems,
  refuse,
  refuseTwice,
  text,
  textMap,
  type Members,
  placed,
  type Place,
} from '../json/shape.ts'
import { parseReference, type ImageReference } from '../oci/reference.ts'
import { bounded, isObject, readBoolean, readDecision, readDuration, readMoment, readName } from '../policy/fields.ts'
import { predicateTypeOf } from '../predicate/types.ts'
import { readSigner } from './signers.ts'
import type { CaseDocument, CaseEvidence, CaseList, CaseSubject, Expectation, PolicyCase } from './model.ts'

const maxCases = 1000
const maxKeys = 256
const maxEvidence = 100
const maxLists = 8
const maxRules = 64
const maxPlatforms = 32
const maxAnnotations = 32

/** Reads a document of cases. `nowMs` is the moment of a case that names none, Unix milliseconds. Throws `policy_malformed`. */
export function parseCases(value: JsonValue, nowMs: number): CaseDocument {
  const field = members(documentPlace(value, 'policy_malformed'), ['apiVersion', 'kind', 'policy', 'keys', 'now', 'cases'])
  oneOf(field('apiVersion'), ['countersign.dev/v1'])
  oneOf(field('kind'), ['PolicyCases'])
  const now = optional(field('now'), readMoment) ?? nowMs
  const policy = optional(field('policy'), bounded)
  const cases = items(field('cases'), maxCases).map((place) => readCase(place, now))
  if (cases.length === 0) return refuse(field('cases'), 'no case')
  refuseTwice(field('cases'), cases, 'cases')
  return { ...(policy === undefined ? {} : { policy }), keys: optionalItems(field('keys'), maxKeys).map(bounded), cases }
}

const caseFields = ['name', 'image', 'file', 'verify', 'digest', 'mediaType', 'platforms', 'now', 'evidence', 'unreadable', 'revocations']

function readCase(at: Place, documentNow: number): PolicyCase {
  const field = members(at, [...caseFields, 'expect'])
  const nowMs = optional(field('now'), readMoment) ?? documentNow
  const subject = readSubject(at, field)
  const declared = ['evidence', 'unreadable', 'revocations'].find((name) => !isAbsent(field(name)))
  if ((subject.kind === 'real' || subject.kind === 'real_file') && declared !== undefined)
    refuse(field(declared), 'what is really verified has its own evidence; say nothing of it')
  return {
    name: bounded(field('name')),
    subject,
    evidence: optionalItems(field('evidence'), maxEvidence).map((place) => readEvidence(place, nowMs)),
    unreadable: optionalItems(field('unreadable'), maxEvidence).map(readCode),
    revocations: readLists(field('revocations')),
    nowMs,
    expected: readExpectation(field('expect')),
    path: at.path,
  }
}

function readSubject(at: Place, field: Members): CaseSubject {
  const kind = oneMember(at, field, ['image', 'file', 'verify'])
  const about = ['digest', 'mediaType', 'platforms'].find((name) => !isAbsent(field(name)))
  if (kind === 'verify') {
    if (about !== undefined) refuse(field(about), 'what is really verified says it itself')
    return readReal(field('verify'))
  }
  const digest = optional(field('digest'), readDigest)
  const mediaType = optional(field('mediaType'), bounded)
  const base = { ...(digest === undefined ? {} : { digest }), ...(mediaType === undefined ? {} : { mediaType }) }
  if (kind === 'file') {
    if (!isAbsent(field('platforms'))) refuse(field('platforms'), 'a file has no platforms')
    return { kind, path: bounded(field('file')), ...base }
  }
  const platforms = isAbsent(field('platforms')) ? undefined : items(field('platforms'), maxPlatforms).map(bounded)
  return { kind, reference: readReference(field('image')), ...base, ...(platforms === undefined ? {} : { platforms }) }
}

function readReal(at: Place): CaseSubject {
  if (!isObject(at)) return { kind: 'real', image: bounded(at) }
  const field = members(at, ['file', 'bundles'])
  return { kind: 'real_file', file: bounded(field('file')), bundles: optionalItems(field('bundles'), maxEvidence).map(bounded) }
}

function readReference(at: Place): ImageReference {
  try {
    return parseReference(text(at))
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return refuse(at, cause.message, { cause })
  }
}

function readDigest(at: Place): Digest {
  return parseDigest(text(at)) ?? refuse(at, 'not a digest', { expected: 'sha256: and 64 lower-case hex digits' })
}

function readCode(at: Place): FailureCode {
  const code = text(at)
  return isFailureCode(code)
    ? code
    : refuse(at, 'no code of a failure', { expected: 'as in bundle_altered or registry_unreachable', found: code.slice(0, 80) })
}

function readEvidence(at: Place, nowMs: number): CaseEvidence {
  const field = members(at, [
    'signedBy',
    'attestation',
    'predicate',
    'at',
    'age',
    'logged',
    'annotations',
    'expires',
    'boundName',
    'refused',
    'ofOtherArtifact',
  ])
  const age = optional(field('age'), readDuration)
  if (age !== undefined && !isAbsent(field('at'))) refuse(field('age'), 'at and age are two times')
  const signedMs = age === undefined ? optional(field('at'), readMoment) : nowMs - age
  const attestation = optional(field('attestation'), (place) => readAttestation(place, field('predicate')))
  if (attestation === undefined && !isAbsent(field('predicate'))) refuse(field('predicate'), 'only an attestation has a predicate')
  const refused = optional(field('refused'), readCode)
  const expiresMs = optional(field('expires'), readMoment)
  const name = optional(field('boundName'), bounded)
  return {
    signer: readSigner(field('signedBy')),
    ...(signedMs === undefined ? {} : { signedMs }),
    logged: readBoolean(field('logged'), false),
    annotations: isAbsent(field('annotations')) ? {} : textMap(field('annotations'), maxAnnotations),
    terms: { ...(expiresMs === undefined ? {} : { expiresMs }), ...(name === undefined ? {} : { name }) },
    ...(attestation === undefined ? {} : { attestation }),
    ...(refused === undefined ? {} : { refused }),
    ofOther: readBoolean(field('ofOtherArtifact'), false),
    path: at.path,
  }
}

function readAttestation(at: Place, predicate: Place): NonNullable<CaseEvidence['attestation']> {
  const type = bounded(at)
  const predicateType = predicateTypeOf(type)
  if (predicateType === undefined)
    return refuse(at, 'not a predicate type', { expected: 'a URI or a short name', found: type.slice(0, 80) })
  if (typeof predicate.value === 'string') return { predicateType, predicate: { kind: 'file', path: bounded(predicate) } }
  return { predicateType, predicate: { kind: 'value', value: predicate.value ?? {} } }
}

function readLists(at: Place): ReadonlyMap<string, CaseList> {
  if (isAbsent(at)) return new Map()
  return new Map(
    entries(at, maxLists).map(([name, place]) => {
      readName(placed(place, name))
      return [name, readList(place)] as const
    }),
  )
}

function readList(at: Place): CaseList {
  if (!isObject(at)) {
    oneOf(at, ['missing'])
    return { kind: 'missing' }
  }
  const field = members(at, ['version', 'expired', 'entries'])
  const version = optional(field('version'), count) ?? 1_000_000_000
  return { kind: 'list', expired: readBoolean(field('expired'), false), version, entries: field('entries').value ?? [], path: at.path }
}

const outcomes = ['satisfied', 'missing', 'failed', 'could_not_tell', 'does_not_apply'] as const

function readExpectation(at: Place): Expectation {
  if (isAbsent(at)) return refuse(at, 'expected allow, warn or deny: a case without an expectation proves nothing')
  if (!isObject(at)) return { decision: readDecision(at), rules: new Map() }
  const field = members(at, ['decision', 'code', 'rules', 'reason'])
  if (isAbsent(field('decision'))) refuse(field('decision'), 'expected allow, warn or deny')
  const code = optional(field('code'), readCode)
  const reason = optional(field('reason'), nonEmptyText)
  const rules = isAbsent(field('rules')) ? [] : entries(field('rules'), maxRules)
  return {
    decision: readDecision(field('decision')),
    ...(code === undefined ? {} : { code }),
    ...(reason === undefined ? {} : { reason }),
    rules: new Map(rules.map(([name, place]) => [name, oneOf(place, outcomes)] as const)),
  }
}
