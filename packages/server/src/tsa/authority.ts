/** The timestamp authority (RFC 3161): takes a request, reads the watched clock, signs once. */
import { randomFillSync } from 'node:crypto'
import { CountersignError } from '@countersign/core/failure'
import type { ReadTimestampRequest } from '@countersign/core/rfc3161/read-request'
import { createStamper } from '@countersign/core/rfc3161/respond'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { serialBytes, serialNumber } from '@countersign/core/x509/serial'
import { equalBytes } from '@countersign/core/bytes'
import { hashBytes } from '../base/crypto/primitives.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import type { ClockVerdict } from './clock/clock-watch.ts'

/** The policy under which Sigstore's timestamp authorities work. */
export const timestampPolicy = '1.3.6.1.4.1.57264.2'

/** Answers requests with timestamps, DER. */
export type TimestampAuthority = {
  /** TimeStampResp that grants. Rejects with `timestamp_policy_refused`, `clock_untrusted`, `signer_unavailable`. */
  readonly stamp: (request: ReadTimestampRequest) => Promise<Uint8Array>
  /** Why the certificate makes no timestamps at this time; `undefined` while it does. */
  readonly problem: (nowMs: number) => string | undefined
  /** DER, the authority's own certificate first, its root last. */
  readonly chain: readonly Uint8Array[]
}

/** Who stamps, and what says the time. */
export type TimestampAuthorityOptions = {
  readonly key: RoleKey
  /** DER, the certificate of `key` first. */
  readonly chain: readonly Uint8Array[]
  readonly clock: () => ClockVerdict
}

/** Opens an authority. Throws `key_mismatch` when the first certificate is not that of the key, `certificate_malformed`. */
export function createTimestampAuthority({ key, chain, clock }: TimestampAuthorityOptions): TimestampAuthority {
  const [leaf] = chain
  if (leaf === undefined) throw new CountersignError('certificate_malformed', 'a timestamp authority has no certificate')
  const certificate = parseCertificate(leaf)
  if (!equalBytes(certificate.spki, key.publicKey.spki)) {
    throw new CountersignError('key_mismatch', `the certificate of the timestamp authority is not that of the key ${key.name}`)
  }
  const { algorithm } = key
  const certificateHash = hashBytes('sha256', leaf)
  // The root proves nothing to who does not have it: what is embedded is what leads there.
  const embedded = chain.filter((der, i) => i === 0 || !isSelfIssued(der))
  const stamper = createStamper({ certificate, certificateHash, chain: embedded, algorithm, policy: timestampPolicy, accuracySeconds: 1 })
  const nextSerial = serialNumbers()
  const isOutside = (nowMs: number): boolean => nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs
  return {
    chain,
    problem: (nowMs) => (isOutside(nowMs) ? 'now is outside the validity of the certificate' : undefined),
    stamp: async (request) => {
      if (request.policy !== undefined && request.policy !== timestampPolicy) throw policyRefused(request.policy)
      const now = clock()
      if (!now.ok) throw clockUntrusted(now.detail)
      // A certificate that has ended makes timestamps that nobody accepts: to say so now is better than to be found out later.
      if (isOutside(now.nowMs)) throw outsideCertificate()
      const info = stamper.info(request, nextSerial(), now.nowMs)
      const attributes = stamper.attributes(hashBytes('sha256', info), now.nowMs)
      return stamper.response(info, attributes, await key.sign(attributes), request.certReq)
    },
  }
}

function isSelfIssued(der: Uint8Array): boolean {
  const { issuer, subject } = parseCertificate(der)
  return equalBytes(issuer.raw, subject.raw)
}

/** Random bytes are drawn many at once: each draw costs as much as a hash. */
function serialNumbers(): () => Uint8Array {
  const pool = new Uint8Array(serialBytes * 256)
  let used = pool.length
  return () => {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    used += serialBytes
    return serialNumber(pool.subarray(used - serialBytes, used))
  }
}

function policyRefused(found: string): CountersignError {
  return new CountersignError('timestamp_policy_refused', 'timestamps are made under one policy here', { expected: timestampPolicy, found })
}

function clockUntrusted(detail: string): CountersignError {
  return new CountersignError('clock_untrusted', `no timestamps are made: ${detail}`, {
    hint: 'Correct the clock of the server, or wait until its time sources answer.',
  })
}

function outsideCertificate(): CountersignError {
  return new CountersignError('clock_untrusted', "no timestamps are made: now is outside the validity of the authority's certificate", {
    hint: 'Check the clock of the server; rotate the key of the timestamp authority when its certificate has ended.',
  })
}
