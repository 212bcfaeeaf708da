/** The names that `--type` takes, the predicate type of each, and how a predicate file becomes a predicate (cosign's table). */
import { fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { maxDocumentBytes, parseJson } from '../json/parse.ts'

/** Short names, as cosign spells them, to predicate types. */
export const predicateTypes = {
  custom: 'https://cosign.sigstore.dev/attestation/v1',
  slsaprovenance: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance02: 'https://slsa.dev/provenance/v0.2',
  slsaprovenance1: 'https://slsa.dev/provenance/v1',
  link: 'https://in-toto.io/Link/v1',
  spdx: 'https://spdx.dev/Document',
  spdxjson: 'https://spdx.dev/Document',
  cyclonedx: 'https://cyclonedx.org/bom',
  vuln: 'https://cosign.sigstore.dev/attestation/vuln/v1',
  openvex: 'https://openvex.dev/ns',
} as const

/** A short name of a predicate type. */
export type PredicateName = keyof typeof predicateTypes

/** A predicate ready for a statement. */
export type Predicate = {
  readonly predicateType: string
  /** One JSON value, UTF-8. */
  readonly predicate: Uint8Array
}

const maxBytes = maxDocumentBytes
/** Two levels less than a statement may have. */
const maxDepth = 254
/** As many as a statement may have. */
const maxValues = 4_000_000

/** The predicate type of a short name or of a URI (a scheme, a colon, no blanks); `undefined` for anything else. */
export function predicateTypeOf(type: string): string | undefined {
  if (Object.hasOwn(predicateTypes, type)) return predicateTypes[type as PredicateName]
  return /^[A-Za-z][A-Za-z0-9+.-]*:[^\s\p{Cc}]+$/u.test(type) && type.length <= 2048 ? type : undefined
}

/**
 * Makes a predicate of a file's bytes. `custom` becomes `{"Data":…,"Timestamp":…}` with the file as a string and `now` (RFC 3339) as time,
 * `spdx` (the tag-value form) a JSON string; all other types keep the bytes, which must be a JSON object.
 * Throws `predicate_malformed`; `usage` when the type is neither a known name nor a URI.
 */
export function wrapPredicate(type: string, bytes: Uint8Array, now: string): Predicate {
  const predicateType = predicateTypeOf(type)
  if (predicateType === undefined) {
    throw new CountersignError('usage', `${JSON.stringify(type.slice(0, 80))} is not a predicate type`, {
      expected: `a URI or one of ${Object.keys(predicateTypes).join(', ')}`,
      found: type.slice(0, 80),
    })
  }
  if (bytes.length > maxBytes) throw malformed(`the predicate has ${bytes.length} bytes`, undefined, `at most ${maxBytes} bytes`)
  if (type === 'custom') return { predicateType, predicate: utf8(JSON.stringify({ Data: fileText(bytes), Timestamp: now })) }
  if (type === 'spdx') return { predicateType, predicate: utf8(JSON.stringify(fileText(bytes))) }
  demandObject(bytes)
  return { predicateType, predicate: bytes }
}

function fileText(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch (cause) {
    throw malformed('the predicate is not UTF-8 text', cause)
  }
}

function demandObject(bytes: Uint8Array): void {
  let value
  try {
    value = parseJson(bytes, { maxBytes, maxDepth, maxValues })
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw malformed(`the predicate is not JSON that every reader understands alike: ${cause.message}`, cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('the predicate is not a JSON object')
}

function malformed(detail: string, cause?: unknown, expected?: string): CountersignError {
  return new CountersignError('predicate_malformed', detail, { cause, ...(expected === undefined ? {} : { expected }) })
}
