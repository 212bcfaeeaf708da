/** What the signature is over, parsed, and whether it is the kind of content that the verifier demands. */
import { equalBytes } from '../bytes.ts'
import type { SignedContent } from '../bundle/model.ts'
import type { Digest } from '../digest.ts'
import { inTotoPayloadType, parseEnvelope, preAuthEncoding, serializeEnvelope, type DsseEnvelope } from '../dsse/envelope.ts'
import { CountersignError, unreachable } from '../failure.ts'
import { parseStatement, signaturePredicateType, type Statement } from '../statement/statement.ts'
import { readingPart, type Ledger } from './ledger.ts'
import type { ContentDemand } from './policy.ts'
import { parseSimpleSigning, type SimpleSigning } from './simple-signing.ts'

/** Signed content with its parts read. `message` is what the signature is computed over; a message signature is over the artifact itself. */
export type ReadContent =
  | { readonly kind: 'message'; readonly signature: Uint8Array; readonly claimedDigest?: Digest }
  | { readonly kind: 'simple-signing'; readonly signature: Uint8Array; readonly message: Uint8Array; readonly payload: SimpleSigning }
  | {
      readonly kind: 'statement'
      readonly signature: Uint8Array
      /** The DSSE pre-authentication encoding. */
      readonly message: Uint8Array
      readonly payload: Uint8Array
      readonly payloadType: string
      readonly statement: Statement
      /** The stored envelope, where a timestamp may be of it; proven to hold this signature. */
      readonly document?: Uint8Array
    }

/**
 * Reads the content. Refuses with `dsse_signature_count` unless an envelope has exactly one signature: of two, one reader would check the
 * first and another the second. Also `dsse_malformed`, `statement_malformed`, `bundle_malformed`.
 */
export function readContent(content: SignedContent): ReadContent {
  switch (content.kind) {
    case 'message':
      return { kind: 'message', signature: signatureBytes(content.signature), ...claimOf(content.claimedDigest) }
    case 'simple-signing':
      return {
        kind: 'simple-signing',
        signature: signatureBytes(content.signature),
        message: content.payload,
        payload: parseSimpleSigning(content.payload),
      }
    case 'dsse': {
      const { payload, payloadType, signatures } = content.envelope
      const [only, ...more] = signatures
      if (only === undefined || more.length > 0) {
        throw new CountersignError('dsse_signature_count', `the envelope has ${signatures.length} signatures`, { expected: '1' })
      }
      // Another type would make the same bytes mean something else.
      if (payloadType !== inTotoPayloadType) {
        throw new CountersignError('dsse_malformed', 'the envelope holds something other than an in-toto statement', {
          expected: inTotoPayloadType,
          found: payloadType.slice(0, 200),
        })
      }
      const statement = readingPart('statement_malformed', 'the signed statement', () => parseStatement(payload))
      const message = preAuthEncoding(payloadType, payload)
      const read = { kind: 'statement', signature: signatureBytes(only.sig), message, payload, payloadType, statement } as const
      return content.document === undefined ? read : { ...read, document: demandSameEnvelope(content.document, content.envelope) }
    }
    default:
      return unreachable(content)
  }
}

/** Refuses content of another kind than demanded with `predicate_mismatch`: an attestation is never a signature, nor the reverse. */
export function demandContent(content: ReadContent, demand: ContentDemand, ledger: Ledger): void {
  const found = content.kind === 'statement' ? content.statement.predicateType : signaturePredicateType
  const named = describeContent(content)
  switch (demand.kind) {
    case 'any_content':
      break
    case 'signature':
      if (found !== signaturePredicateType) {
        throw new CountersignError('predicate_mismatch', `this is an attestation (${named}), not a signature of the artifact`, {
          expected: signaturePredicateType,
          found,
          hint: 'Verify it as an attestation.',
        })
      }
      break
    case 'attestation':
      if (content.kind !== 'statement' || found === signaturePredicateType) {
        throw new CountersignError('predicate_mismatch', `this is a signature (${named}), not an attestation`, {
          expected: demand.predicateType ?? 'a statement that is not a signature',
          found,
        })
      }
      if (demand.predicateType !== undefined && found !== demand.predicateType) {
        throw new CountersignError('predicate_mismatch', 'the attestation is of another type', { expected: demand.predicateType, found })
      }
      break
    default:
      unreachable(demand)
  }
  ledger.held('content_type', named)
}

/** What the content is, in words. */
export function describeContent(content: ReadContent): string {
  switch (content.kind) {
    case 'message':
      return 'signature over the artifact'
    case 'simple-signing':
      return 'simple-signing payload'
    case 'statement':
      return `in-toto statement, predicate type ${content.statement.predicateType}`
    default:
      return unreachable(content)
  }
}

/** Hostile: a timestamp of another document would give this signature a time that it never had. */
function demandSameEnvelope(document: Uint8Array, envelope: DsseEnvelope): Uint8Array {
  if (equalBytes(serializeEnvelope(parseEnvelope(document)), serializeEnvelope(envelope))) return document
  throw new CountersignError('dsse_malformed', 'the envelope is not the one that was stored')
}

/** RSA-4096 makes 512 bytes; nothing that is accepted makes more than 1 KiB, and parsers behind this line need not expect more. */
function signatureBytes(signature: Uint8Array): Uint8Array {
  if (signature.length > 0 && signature.length <= 1024) return signature
  throw new CountersignError('bundle_malformed', `a signature of ${signature.length} bytes`, { expected: '1 to 1024 bytes' })
}

function claimOf(claimedDigest: Digest | undefined): { readonly claimedDigest?: Digest } {
  return claimedDigest === undefined ? {} : { claimedDigest }
}
