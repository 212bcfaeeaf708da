/**
 * Entries that somebody asks a Rekor v1 log to record (sigstore/rekor, pkg/types): read, checked as far as no signature is needed, and in the
 * canonical form (RFC 8785) that the log keeps and every client reads.
 */
import { CountersignError, unreachable } from '../failure.ts'
import { parseJsonAs } from '../json/parse.ts'
import { documentPlace, nonEmptyText, oneOf, openMembers, refuse, type Place } from '../json/shape.ts'
import type { SignatureAlgorithm } from '../keys/algorithm.ts'
import type { SyncHash } from '../merkle/tree.ts'
import type { EntrySigner } from './entry.ts'
import { readDsseV1 } from './dsse-v1.ts'
import { readHashedrekordV1, readRekordV1 } from './hashedrekord-v1.ts'
import { readIntotoV1 } from './intoto-v1.ts'

/** A signature that must hold before the entry is accepted: with one of the algorithms, over the digest or the whole message. */
export type SignatureClaim = {
  readonly signer: EntrySigner
  readonly signature: Uint8Array
  readonly algorithms: readonly SignatureAlgorithm[]
  readonly over: { readonly kind: 'digest'; readonly digest: Uint8Array } | { readonly kind: 'message'; readonly message: Uint8Array }
}

/** An entry, read. Nothing about its signatures is proven yet. */
export type ProposedEntryV1 = {
  readonly kind: EntryKindV1
  /** RFC 8785 bytes; the leaf of the log. */
  readonly body: Uint8Array
  readonly claims: readonly [SignatureClaim, ...SignatureClaim[]]
  /** Digests that a signed statement names, as `sha256:hex`: the log does not keep the statement, and finds the entry by them. */
  readonly statementDigests: readonly string[]
}

/** The kinds that are taken. */
export type EntryKindV1 = (typeof kinds)[number]

const kinds = ['hashedrekord', 'dsse', 'intoto', 'rekord'] as const
const malformed = 'log_entry_malformed'

/** Bytes of the largest request; a `rekord` carries the whole artifact. */
export const maxProposalBytes: number = 32 * 1024 * 1024

/** Reads a `ProposedEntry`. Throws `log_entry_malformed`, and `not_supported` for kinds of Rekor v1 that are not taken here. */
export function parseProposedEntryV1(primitives: SyncHash, document: Uint8Array): ProposedEntryV1 {
  const { value } = parseJsonAs(malformed, 'the entry', document, { maxBytes: maxProposalBytes, maxDepth: 16, maxValues: 4096 })
  return readProposedEntryV1(primitives, documentPlace(value, malformed))
}

/** The same of an entry inside another document. Fails with the code of the place. */
export function readProposedEntryV1(primitives: SyncHash, at: Place): ProposedEntryV1 {
  const field = openMembers(at)
  const kind = nonEmptyText(field('kind'))
  if (!kinds.some((known) => known === kind)) {
    throw new CountersignError('not_supported', `entries of the kind ${JSON.stringify(kind.slice(0, 40))} are not taken`, {
      expected: kinds.join(', '),
    })
  }
  const version = oneOf(field('apiVersion'), ['0.0.1', '0.0.2'])
  const spec = field('spec')
  const known = oneOf(field('kind'), kinds)
  if (version === '0.0.2' && known !== 'intoto') return refuse(field('apiVersion'), `there is no ${known} 0.0.2`)
  switch (known) {
    case 'hashedrekord':
      return { kind: known, ...readHashedrekordV1(spec), statementDigests: [] }
    case 'rekord':
      return { kind: known, ...readRekordV1(primitives, spec), statementDigests: [] }
    case 'dsse':
      return { kind: known, ...readDsseV1(primitives, spec) }
    case 'intoto':
      return { kind: known, ...readIntotoV1(primitives, spec, version) }
    default:
      return unreachable(known)
  }
}
