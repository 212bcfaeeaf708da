import { CountersignError, type FailureCode } from '@countersign/core/failure'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { gravestFailure, refusalFrom } from '@countersign/sdk/verify/outcome'
import type { RejectedSignature } from '@countersign/sdk/verify/requests'
import { sha256Digest } from '@countersign/testkit/memory-repository'
import { utf8 } from '@countersign/core/bytes'
import { describe, expect, it } from 'vitest'

const subject = sha256Digest(utf8('subject'))
const origin = { layouts: ['legacy-tag'], manifest: subject, blob: subject } as const
const signature: ContentDemand = { kind: 'signature' }

function rejected(code: FailureCode): RejectedSignature {
  return { origin, refusal: refusalFrom(new CountersignError(code, code)) }
}

function failure(codes: readonly FailureCode[], open: readonly FailureCode[] = [], others = 0, demand = signature): FailureCode {
  const unreadable = open.map((code) => new CountersignError(code, code))
  return gravestFailure(demand, subject, codes.map(rejected), unreadable, others).code
}

describe('of several reasons', () => {
  it('altered is said before unacceptable, unacceptable before anything lesser', () => {
    expect(failure(['signer_untrusted', 'subject_mismatch', 'annotation_mismatch'])).toBe('subject_mismatch')
    expect(failure(['algorithm_unsupported', 'signer_untrusted'])).toBe('signer_untrusted')
    expect(failure(['trust_missing', 'signer_untrusted'])).toBe('signer_untrusted')
  })

  it('a place that could not be read leaves the question open, unless something was proven altered', () => {
    expect(failure([], ['registry_throttled'])).toBe('registry_throttled')
    expect(failure(['signer_untrusted'], ['registry_throttled'])).toBe('registry_throttled')
    expect(failure(['bundle_altered'], ['registry_throttled'])).toBe('bundle_altered')
    expect(failure([], ['registry_throttled', 'manifest_malformed'])).toBe('manifest_malformed')
  })

  it('nothing there is unsigned, whatever else refers to the image', () => {
    expect(failure([])).toBe('no_signature')
    expect(failure([], [], 3)).toBe('no_signature')
    expect(failure([], [], 3, { kind: 'attestation' })).toBe('no_attestation')
  })

  it('and the text says how many others do not count', () => {
    expect(gravestFailure(signature, subject, [], [], 1).detail).toContain('1 attestation is there and does not count')
    expect(gravestFailure(signature, subject, [], [], 2).detail).toContain('2 attestations are there and do not count')
    expect(gravestFailure({ kind: 'attestation' }, subject, [], [], 2).detail).toContain('2 signatures are there and do not count')
  })
})
