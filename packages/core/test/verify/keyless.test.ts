import { createHash, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../src/bytes.ts'
import { derOctetString, derUtf8String } from '../../src/der/writer.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import { parsePublicKey } from '../../src/keys/public-key.ts'
import type { LogInstance, TrustedRoot } from '../../src/trust/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { IdentityMatch, SignerDemand, VerifyPolicy } from '../../src/verify/policy.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { extensionOid } from '../../src/x509/oids.ts'
import { sctSignedData } from '../../src/x509/sct.ts'
import { extension, extensions, issue, nameOf, newAuthority, newKey, start2026, type Wanted } from '../x509/issue.ts'
import {
  artifactBytes,
  entityOf,
  hashedrekordV1,
  hashedrekordV2,
  keysOf,
  logBody,
  messageBy,
  newTestKey,
  newTestLog,
  policyOf,
  rootOf,
  signedAtMs,
  verified,
  type TestKey,
} from './forge.ts'

const minute = 60_000
const identityIssuer = 'https://issuer.example'
const authority = newAuthority()
const log = await newTestLog()
const logV2 = await newTestLog(2, 'log2026.example')
const ctKey = newKey()
const ctLog: LogInstance = {
  baseUrl: 'https://ct.example',
  hashAlgorithm: 'sha256',
  publicKey: parsePublicKey(ctKey.spki),
  algorithm: 'PKIX_ECDSA_P256_SHA_256',
  validFor: { start: start2026 },
  logId: sha256(ctKey.spki),
}
const trustedRoot = rootOf({
  logs: [log.instance, logV2.instance],
  ctLogs: [ctLog],
  certificateAuthorities: [
    {
      organization: 'example',
      commonName: 'fulcio',
      uri: 'https://ca.example',
      certificates: [authority.intermediate, authority.root],
      validFor: { start: start2026 },
    },
  ],
})

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

const named = [
  extensions.codeSigning(),
  extensions.keyUsage('digitalSignature'),
  extensions.authorityKeyId('intermediate'),
  extensions.email('dev@example.org'),
  extension('1.3.6.1.4.1.57264.1.8', false, derUtf8String(identityIssuer)),
]

/** What the certificate of a test shall say; ten minutes around the signature, as Fulcio issues. */
function wantedFor(key: TestKey, wishes: Partial<Wanted> = {}): Wanted {
  const own = { privateKey: key.privateKey, spki: key.publicKey.spki }
  const validity = { notBeforeMs: signedAtMs - minute, notAfterMs: signedAtMs + 9 * minute }
  return { issuer: authority.issuer, subject: nameOf(''), key: own, extensions: named, ...validity, ...wishes }
}

/** Issues a certificate with a timestamp of the CT log embedded (RFC 6962 §3.3). */
function issueLogged(wanted: Wanted, timestampMs = signedAtMs): Uint8Array {
  const { tbs } = parseCertificate(issue(wanted))
  const data = sctSignedData({ timestampMs, extensions: new Uint8Array() }, sha256(wanted.issuer.key.spki), tbs)
  const signature = sign('sha256', data, ctKey.privateKey)
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(timestampMs))
  const lengths = Uint8Array.of(signature.length >> 8, signature.length & 0xff)
  const sct = concatBytes(Uint8Array.of(0), ctLog.logId, time, Uint8Array.of(0, 0, 4, 3), lengths, signature)
  const vector = (bytes: Uint8Array): Uint8Array => concatBytes(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes)
  const list = extension(extensionOid.sctList, false, derOctetString(vector(vector(sct))))
  return issue({ ...wanted, extensions: [...(wanted.extensions ?? []), list] })
}

const signer = newTestKey()
const certificate = issueLogged(wantedFor(signer))

function entityWith(chain: Uint8Array, integratedTimeMs = signedAtMs, key = signer): SignedEntity {
  const content = messageBy(key)
  const entry = logBody(log, hashedrekordV1(content.signature, chain, artifactBytes), { integratedTimeMs })
  return { ...entityOf(content, { kind: 'certificate', chain: [chain] }), logEntries: [entry] }
}

const good = entityWith(certificate)
const exactly: IdentityMatch = { issuer: { kind: 'exact', value: identityIssuer }, subject: { kind: 'exact', value: 'dev@example.org' } }
const required = { kind: 'required' } as const
const proofs = { log: required, sct: required }

async function verifyIt(
  entity: SignedEntity = good,
  wishes: Partial<VerifyPolicy> = {},
  root: Partial<TrustedRoot> = {},
  signer: SignerDemand = { kind: 'identities', identities: [exactly] },
): Promise<Verification> {
  return verified(entity, policyOf(signer, { ...proofs, ...wishes }), { trustedRoot: { ...trustedRoot, ...root } })
}

async function codeOf(...parameters: Parameters<typeof verifyIt>): Promise<string> {
  const result = await verifyIt(...parameters)
  return result.ok ? 'verified' : result.code
}

describe('a signature with a certificate', () => {
  it('proves chain, CT promise, identity, log entry and time, and lists just these', async () => {
    const result = await verifyIt()
    expect(result).toMatchObject({
      ok: true,
      evidence: {
        signer: { kind: 'certificate', issuer: identityIssuer, subject: 'dev@example.org', extensions: { '8': identityIssuer } },
        times: [{ source: 'log', timeMs: signedAtMs }],
        waivers: [],
      },
    })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).toEqual([
      'content_type',
      'signature',
      'signed_entry_timestamp',
      'checkpoint',
      'inclusion_proof',
      'log_entry',
      'certificate_chain',
      'signed_certificate_timestamp',
      'identity',
      'artifact_digest',
    ])
  })

  it('holds years after the certificate expired: the wall clock decides nothing', async () => {
    const policy = policyOf({ kind: 'identities', identities: [exactly] }, proofs)
    expect(await verified(good, policy, { trustedRoot, nowMs: Date.UTC(2040, 0, 1) })).toMatchObject({ ok: true })
  })

  it('demands log entry and SCT also of a policy that says nothing about them', async () => {
    const silent = { log: { kind: 'not_demanded' }, sct: { kind: 'not_demanded' } } as const
    expect(await codeOf({ ...good, logEntries: [] }, silent)).toBe('log_entry_missing')
    expect(await codeOf(entityWith(issue(wantedFor(signer))), silent)).toBe('sct_missing')
  })
})

describe('time', () => {
  it.each([
    ['a minute after it expired', 10 * minute, 'certificate_expired'],
    ['at its last moment', 9 * minute, 'verified'],
    ['at its first moment', -minute, 'verified'],
    ['before it was issued', -minute - 1000, 'certificate_expired'],
  ])('of the log entry lies %s: %s ms after the signature gives %s', async (_what, offset, expected) => {
    expect(await codeOf(entityWith(certificate, signedAtMs + offset))).toBe(expected)
  })

  it('must be right at every source: one entry within does not excuse another outside', async () => {
    const other = await newTestLog(1, 'second.example')
    const body = hashedrekordV1(good.content.kind === 'message' ? good.content.signature : new Uint8Array(), certificate, artifactBytes)
    const entity = { ...good, logEntries: [...good.logEntries, logBody(other, body, { integratedTimeMs: signedAtMs + 20 * minute })] }
    expect(await codeOf(entity, {}, { logs: [log.instance, other.instance] })).toBe('certificate_expired')
    expect(await codeOf(entity)).toBe('verified')
  })

  it('is missing when the log gives none and nobody stamped: trusted_time_missing', async () => {
    const content = messageBy(signer)
    const entry = logBody(logV2, hashedrekordV2(content.signature, certificate, artifactBytes))
    const entity = { ...entityOf(content, { kind: 'certificate', chain: [certificate] }), logEntries: [entry] } as const
    expect(await codeOf(entity)).toBe('trusted_time_missing')
    const waived = { signedTimestamp: { kind: 'waived_UNSAFE', reason: 'import of 2026' } } as const
    expect(await verifyIt(entity, waived)).toMatchObject({
      ok: true,
      evidence: { times: [], waivers: [{ check: 'timestamp', reason: 'import of 2026' }] },
    })
  })

  it('is not given by garbage in the place of a timestamp: timestamp_invalid', async () => {
    expect(await codeOf({ ...good, timestamps: [new Uint8Array(12)] })).toBe('timestamp_invalid')
  })

  it('must come from a timestamp when one is demanded', async () => {
    expect(await codeOf(good, { signedTimestamp: required })).toBe('trust_missing')
    const authorities = { timestampAuthorities: trustedRoot.certificateAuthorities }
    expect(await codeOf(good, { signedTimestamp: required }, authorities)).toBe('timestamp_missing')
  })
})

describe('an empty list in the trusted root waives nothing', () => {
  it.each([['certificateAuthorities'], ['ctLogs'], ['logs']] as const)('%s: trust_missing', async (list) => {
    expect(await codeOf(good, {}, { [list]: [] })).toBe('trust_missing')
  })

  it('and neither does the absence of one', async () => {
    const policy = policyOf({ kind: 'identities', identities: [exactly] }, proofs)
    expect(await verified(good, policy)).toMatchObject({ ok: false, code: 'trust_missing' })
    const waived = { kind: 'waived_UNSAFE', reason: 'test' } as const
    expect(await verified(good, { ...policy, log: waived, sct: waived, signedTimestamp: waived })).toMatchObject({ code: 'trust_missing' })
  })

  it('and an empty list of identities accepts nobody', async () => {
    expect(await codeOf(good, {}, {}, { kind: 'identities', identities: [] })).toBe('trust_missing')
  })
})

describe('the certificate', () => {
  it.each([
    ['by an authority that is not trusted', { issuer: newAuthority().issuer }, 'certificate_untrusted'],
    ['that is an authority itself', { extensions: [...named, extensions.ca()] }, 'certificate_unsuitable'],
    ['without purpose', { extensions: named.slice(1) }, 'certificate_unsuitable'],
    ['for time stamping', { extensions: [extensions.timeStamping(), ...named.slice(1)] }, 'certificate_unsuitable'],
    ['without a name', { extensions: named.filter((_, index) => index !== 3) }, 'certificate_unsuitable'],
    ['without an identity issuer', { extensions: named.slice(0, 4) }, 'certificate_unsuitable'],
    [
      'with a critical extension that nobody knows',
      { extensions: [...named, extension('1.2.3.4', true, new Uint8Array([5, 0]))] },
      'certificate_unsuitable',
    ],
  ] as const)('%s is refused', async (_what, wishes, expected) => {
    expect(await codeOf(entityWith(issueLogged(wantedFor(signer, wishes))))).toBe(expected)
  })

  it('by an authority that was not trusted at the time is certificate_expired', async () => {
    const certificateAuthorities = trustedRoot.certificateAuthorities.map((one) => ({
      ...one,
      validFor: { start: 0, end: signedAtMs - 1 },
    }))
    expect(await codeOf(good, {}, { certificateAuthorities })).toBe('certificate_expired')
  })

  it('brings no anchor: a root beside it is a candidate and not trusted', async () => {
    const evil = newAuthority()
    const leaf = issueLogged(wantedFor(signer, { issuer: evil.issuer }))
    const entity = { ...entityWith(leaf), material: { kind: 'certificate', chain: [leaf, evil.intermediate, evil.root] } } as const
    expect(await codeOf(entity)).toBe('certificate_untrusted')
  })

  it('may bring the intermediate that leads to a trusted root', async () => {
    const certificateAuthorities = trustedRoot.certificateAuthorities.map((one) => ({ ...one, certificates: [authority.root] }))
    expect(await codeOf(good, {}, { certificateAuthorities })).toBe('certificate_untrusted')
    const entity = { ...good, material: { kind: 'certificate', chain: [certificate, authority.intermediate] } } as const
    expect(await codeOf(entity, {}, { certificateAuthorities })).toBe('verified')
  })

  it('swapped for that of another key is bundle_altered', async () => {
    const chain = [issueLogged(wantedFor(newTestKey()))] as const
    expect(await codeOf({ ...good, material: { kind: 'certificate', chain } })).toBe('bundle_altered')
  })

  it('swapped for another one of the same key is log_entry_mismatch', async () => {
    const chain = [issueLogged(wantedFor(signer, { serial: 8 }))] as const
    expect(await codeOf({ ...good, material: { kind: 'certificate', chain } })).toBe('log_entry_mismatch')
  })

  it('must be in the log, not its key alone', async () => {
    const content = messageBy(signer)
    const entry = logBody(log, hashedrekordV1(content.signature, signer, artifactBytes))
    expect(await codeOf({ ...entityOf(content, { kind: 'certificate', chain: [certificate] }), logEntries: [entry] })).toBe(
      'log_entry_mismatch',
    )
  })

  it.each([
    ['is no certificate', [new Uint8Array(20)]],
    ['has no certificate beside it', [certificate, new Uint8Array(20)]],
  ] as const)('that %s is bundle_malformed', async (_what, chain) => {
    expect(await codeOf({ ...good, material: { kind: 'certificate', chain: [...chain] as [Uint8Array, ...Uint8Array[]] } })).toBe(
      'bundle_malformed',
    )
  })

  it('comes with at most 15 others', async () => {
    const chain: [Uint8Array, ...Uint8Array[]] = [certificate, ...Array.from({ length: 16 }, () => authority.intermediate)]
    expect(await codeOf({ ...good, material: { kind: 'certificate', chain } })).toBe('limit_exceeded')
  })
})

describe('the promise of a CT log', () => {
  it('stripped from the certificate is sct_missing', async () => {
    expect(await codeOf(entityWith(issue(wantedFor(signer))))).toBe('sct_missing')
  })

  it('of a log that the trusted root does not name is sct_invalid', async () => {
    expect(await codeOf(good, {}, { ctLogs: [{ ...ctLog, logId: new Uint8Array(32) }] })).toBe('sct_invalid')
  })

  it('by another key is sct_invalid', async () => {
    expect(await codeOf(good, {}, { ctLogs: [{ ...ctLog, publicKey: newTestKey().publicKey }] })).toBe('sct_invalid')
  })

  it('outside the validity of the log key is sct_invalid', async () => {
    expect(await codeOf(good, {}, { ctLogs: [{ ...ctLog, validFor: { start: 0, end: signedAtMs - 1 } }] })).toBe('sct_invalid')
    expect(await codeOf(good, {}, { ctLogs: [{ ...ctLog, validFor: { start: 0, end: signedAtMs } }] })).toBe('verified')
  })

  it('is skipped only by name, and the evidence records it', async () => {
    const result = await verifyIt(
      entityWith(issue(wantedFor(signer))),
      { sct: { kind: 'waived_UNSAFE', reason: 'no CT log here' } },
      { ctLogs: [] },
    )
    expect(result).toMatchObject({ ok: true, evidence: { waivers: [{ check: 'signed_certificate_timestamp', reason: 'no CT log here' }] } })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).not.toContain('signed_certificate_timestamp')
  })
})

describe('the identity', () => {
  const matching = (subject: IdentityMatch['subject']): SignerDemand => ({ kind: 'identities', identities: [{ ...exactly, subject }] })

  it('of somebody else is identity_mismatch, and both are named', async () => {
    const result = await verifyIt(good, {}, {}, matching({ kind: 'exact', value: 'eve@example.org' }))
    expect(result).toMatchObject({ ok: false, code: 'identity_mismatch', found: `dev@example.org (issuer ${identityIssuer})` })
    expect(result.ok ? '' : result.expected).toContain('eve@example.org')
  })

  it.each(['^eve|org$', 'dev@example', '@example.org'])('does not match the unanchored pattern %j', async (value) => {
    expect(await codeOf(good, {}, {}, matching({ kind: 'pattern', value }))).toBe('identity_mismatch')
  })

  it('may be anybody with a certificate only by a waiver that the evidence records', async () => {
    const anyone: SignerDemand = { kind: 'any_certified_signer_UNSAFE', reason: 'inventory run' }
    const result = await verifyIt(good, {}, {}, anyone)
    expect(result).toMatchObject({ ok: true, evidence: { waivers: [{ check: 'identity', reason: 'inventory run' }] } })
    expect(result.ok && result.evidence.checks.map(({ check }) => check)).not.toContain('identity')
  })

  it('does not matter where a key is trusted that the certificate is for', async () => {
    expect(await codeOf(good, {}, {}, keysOf(signer))).toBe('verified')
  })
})

it('a waiver of the log takes the time that it gives with it', async () => {
  const log = { kind: 'waived_UNSAFE', reason: 'air gap' } as const
  expect(await codeOf(good, { log })).toBe('trusted_time_missing')
  expect(await verifyIt(good, { log, signedTimestamp: log })).toMatchObject({
    ok: true,
    evidence: { log: [], times: [], waivers: [{ check: 'log_entry' }, { check: 'timestamp' }] },
  })
})
