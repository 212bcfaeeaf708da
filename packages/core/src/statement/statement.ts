/**
 * in-toto Statement v0.1 and v1 (in-toto/attestation, spec/v1/statement.md and resource_descriptor.md; spec/v0.1.0).
 *
 * The predicate is never re-serialised: a number beyond 2^53 or a field that no schema knows would be lost, and with it what was attested.
 */
import { concatBytes, fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { type JsonValue, maxDocumentBytes, parseJsonAs, parseJsonDocument } from '../json/parse.ts'
import {
  documentPlace,
  items,
  nonEmptyText,
  oneOf,
  openMembers,
  optional,
  readObject,
  refuse,
  text,
  textMap,
  type Place,
} from '../json/shape.ts'

/** The `_type` of each version. */
export const statementTypes = { '0.1': 'https://in-toto.io/Statement/v0.1', '1': 'https://in-toto.io/Statement/v1' } as const

/** Version of a statement. */
export type StatementVersion = keyof typeof statementTypes

/** Predicate type of cosign's image signatures: a statement of this type is a signature, any other is an attestation. */
export const signaturePredicateType = 'https://sigstore.dev/cosign/sign/v1'

/** One thing that a statement is about. */
export type StatementSubject = {
  readonly name?: string
  /** Algorithm to value, as found; any algorithm name, values of hash functions in lower-case hex. */
  readonly digest: Readonly<Record<string, string>>
  /** The annotations that are strings; cosign keeps `-a` here. */
  readonly annotations: Readonly<Record<string, string>>
}

/** A statement, parsed. Unknown fields were ignored, as the specification demands ("monotonic principle"). */
export type Statement = {
  readonly version: StatementVersion
  readonly subjects: readonly StatementSubject[]
  readonly predicateType: string
  /** The exact bytes of the predicate's JSON value inside the payload; absent when there is none. */
  readonly predicateBytes?: Uint8Array
}

/** What {@link buildStatement} puts together. */
export type StatementParts = {
  readonly version: StatementVersion
  readonly subjects: readonly {
    readonly name?: string
    readonly digest: Readonly<Record<string, string>>
    /** Written, sorted, whenever it is given, also when it is empty. */
    readonly annotations?: Readonly<Record<string, string>>
  }[]
  readonly predicateType: string
  /** One JSON value, UTF-8; kept byte for byte. */
  readonly predicate: Uint8Array
}

/** SBOMs nest a dependency in a dependency, and those of whole systems name millions of things: four million values take half a gigabyte. */
const limits = { maxBytes: maxDocumentBytes, maxDepth: 256, maxValues: 4_000_000 }

/** The predicate is checked like the rest, and made a value only when somebody asks for it ({@link predicateValue}). */
const statementLimits = { ...limits, sourceOnly: ['predicate'] }
const maxSubjects = 100_000
const maxDigests = 64
const maxAnnotations = 1_000

/** Reads a DSSE payload. Throws `statement_malformed`; the text begins with the path of the field. At most 128 MiB, 100,000 subjects and 4,000,000 values. */
export function parseStatement(payload: Uint8Array): Statement {
  const code = 'statement_malformed'
  const { value, sources } = parseJsonAs(code, 'the in-toto statement', payload, statementLimits)
  const field = openMembers(documentPlace(value, code))
  const type = oneOf(field('_type'), Object.values(statementTypes))
  const subjects = items(field('subject'), maxSubjects).map(readSubject)
  // A statement about nothing binds nothing.
  if (subjects.length === 0) refuse(field('subject'), 'no subject')
  const source = sources.get('predicate')
  const predicate = source === 'null' ? undefined : source
  return {
    version: type === statementTypes['1'] ? '1' : '0.1',
    subjects,
    predicateType: nonEmptyText(field('predicateType')),
    ...(predicate === undefined ? {} : { predicateBytes: utf8(predicate) }),
  }
}

/** Whether a statement is a signature. Only its predicate type says so. */
export function isSignatureStatement(statement: Pick<Statement, 'predicateType'>): boolean {
  return statement.predicateType === signaturePredicateType
}

/**
 * The statement's bytes in the field order of cosign. The predicate is spliced in byte for byte, blanks around it included; nothing of it is
 * parsed and written again. Throws `predicate_malformed` when it is not one JSON value.
 */
export function buildStatement(parts: StatementParts): Uint8Array {
  try {
    parseJsonDocument(parts.predicate, limits)
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('predicate_malformed', `the predicate: ${cause.message}`, { cause })
  }
  const head = JSON.stringify({
    _type: statementTypes[parts.version],
    subject: parts.subjects.map((subject) => ({
      ...(subject.name === undefined ? {} : { name: subject.name }),
      digest: sorted(subject.digest),
      ...(subject.annotations === undefined ? {} : { annotations: sorted(subject.annotations) }),
    })),
    predicateType: parts.predicateType,
  })
  return concatBytes(utf8(`${head.slice(0, -1)},"predicate":`), parts.predicate, utf8('}'))
}

/**
 * The statement that signs an image as cosign 3 does: one nameless subject, a predicate that is empty but for `members`, in their order.
 * `digest` is hex SHA-256.
 */
export function buildSignatureStatement(
  sha256Hex: string,
  annotations: Readonly<Record<string, string>>,
  members: Readonly<Record<string, string>> = {},
): Uint8Array {
  return buildStatement({
    version: '1',
    subjects: [{ digest: { sha256: sha256Hex }, annotations }],
    predicateType: signaturePredicateType,
    predicate: utf8(JSON.stringify(members)),
  })
}

/** The predicate as a value, for reading; `undefined` when there is none. What is kept or compared is `predicateBytes`. */
export function predicateValue(statement: Pick<Statement, 'predicateBytes'>): JsonValue | undefined {
  return statement.predicateBytes === undefined ? undefined : parseJsonDocument(fromUtf8(statement.predicateBytes), limits).value
}

function readSubject(at: Place): StatementSubject {
  const field = openMembers(at)
  const digest = textMap(field('digest'), maxDigests)
  if (Object.keys(digest).length === 0) refuse(field('digest'), 'no digest')
  const name = optional(field('name'), text)
  const annotations = optional(field('annotations'), readAnnotations) ?? emptyMap()
  return name === undefined ? { digest, annotations } : { name, digest, annotations }
}

/** Values may be any JSON; those that are not strings are nothing that a verifier can demand. */
function readAnnotations(at: Place): Readonly<Record<string, string>> {
  const members = Object.entries(readObject(at))
  if (members.length > maxAnnotations) refuse(at, `${members.length} annotations`, { expected: `at most ${maxAnnotations}` })
  const annotations = emptyMap()
  for (const [name, value] of members) if (typeof value === 'string') annotations[name] = value
  return annotations
}

function emptyMap(): Record<string, string> {
  return Object.create(null) as Record<string, string>
}

/** Go writes maps sorted by name. */
function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const result = emptyMap()
  for (const name of Object.keys(map).sort()) result[name] = map[name] as string
  return result
}
