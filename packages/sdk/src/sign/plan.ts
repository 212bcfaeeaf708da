/** What is to be said about each subject, in both layouts; the same for signatures and attestations. */
import { digestAlgorithm, digestHex } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import {
  buildSignatureStatement,
  buildStatement,
  isSignatureStatement,
  parseStatement,
  signaturePredicateType,
} from '@countersign/core/statement/statement'
import { type SignedTerms, termMembers, termNames } from '@countersign/core/verify/terms'
import type { StatementSource } from './requests.ts'

/** The bytes to sign about one subject. */
export type SubjectPlan = {
  readonly predicateType: string
  /** The in-toto statement of the bundle, and of the legacy attestation. */
  readonly statement: Uint8Array
  /** What the legacy layout holds: a simple-signing payload under `.sig`, or the statement's envelope under `.att`. */
  readonly legacy: { readonly kind: 'sig'; readonly payload: Uint8Array } | { readonly kind: 'att' }
}

/**
 * Plans a signature as cosign 3 makes it: statement v1 without a name, simple-signing payload with one. Terms go where cosign leaves room.
 * Throws `usage` for annotations with the names of terms: in the legacy layout they would be terms.
 */
export function planSignature(
  subject: Descriptor,
  annotations: Readonly<Record<string, string>>,
  dockerReference: string,
  terms: SignedTerms = {},
): SubjectPlan {
  const taken = Object.values(termNames).find((name) => Object.hasOwn(annotations, name))
  if (taken !== undefined) {
    throw new CountersignError('usage', `the annotation ${taken} would be a term of the signature`, {
      hint: 'Give --expires or --bind-name.',
    })
  }
  const members = termMembers(terms)
  const payload = buildSimpleSigning({ dockerReference, digest: subject.digest, annotations: { ...annotations, ...members } })
  const statement = buildSignatureStatement(demandSha256(subject), annotations, members)
  return { predicateType: signaturePredicateType, statement, legacy: { kind: 'sig', payload } }
}

/** Plans an attestation as cosign 3 makes it: statement v0.1 that names the repository (if it has a name); or takes a whole statement verbatim. */
export function planAttestation(subject: Descriptor, source: StatementSource, repositoryName: string): SubjectPlan {
  const statement =
    source.kind === 'statement'
      ? source.statement
      : buildStatement({
          version: '0.1',
          subjects: [{ ...(repositoryName === '' ? {} : { name: repositoryName }), digest: { sha256: demandSha256(subject) } }],
          predicateType: source.predicateType,
          predicate: source.predicate,
        })
  const parsed = parseStatement(statement)
  demandAttestation(parsed)
  const named = parsed.subjects.some((one) => one.digest[digestAlgorithm(subject.digest)] === digestHex(subject.digest))
  if (!named) {
    throw new CountersignError('subject_mismatch', 'the statement does not name the image that it is to be attached to', {
      expected: subject.digest,
      found: parsed.subjects
        .map((one) => JSON.stringify(one.digest))
        .join(', ')
        .slice(0, 400),
    })
  }
  return { predicateType: parsed.predicateType, statement, legacy: { kind: 'att' } }
}

/** An attestation that said it is a signature would make every verifier of signatures accept it. */
export function demandAttestation(statement: { readonly predicateType: string }): void {
  if (isSignatureStatement(statement)) {
    throw new CountersignError('usage', `${signaturePredicateType} is the type of signatures, an attestation cannot have it`, {
      hint: 'Use sign to sign, or name another predicate type.',
    })
  }
}

function demandSha256(subject: Descriptor): string {
  if (digestAlgorithm(subject.digest) === 'sha256') return digestHex(subject.digest)
  throw new CountersignError(
    'algorithm_unsupported',
    `images with a ${digestAlgorithm(subject.digest)} digest cannot be signed in this format`,
    {
      expected: 'a sha256 digest',
      found: subject.digest,
    },
  )
}
