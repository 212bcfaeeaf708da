import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { SignedEntity } from '../../src/bundle/model.ts'
import { derBitString, derOid, derSequence, derUtf8String } from '../../src/der/writer.ts'
import type { AuthorityInstance, TrustedRoot } from '../../src/trust/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { NameMatch, SignerDemand, VerifyPolicy } from '../../src/verify/policy.ts'
import { newTsa, responseWith, tokenBy, type TestTsa } from '../rfc3161/stamp.ts'
import { extension, extensions, issue, nameOf, newAuthority, start2026, type Wanted } from '../x509/issue.ts'
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
} from './forge.ts'

const authority = newAuthority()
const key = newTestKey()
const [v1, other, v2] = [await newTestLog(), await newTestLog(1, 'other.example'), await newTestLog(2, 'log2026.example')]
const [tsa, foreign] = [newTsa(), newTsa({ serial: 9 })]
const identityIssuer = 'https://issuer.example'
const source = 'https://code.example/app'
const certified = [
  extensions.codeSigning(),
  extensions.keyUsage('digitalSignature'),
  extensions.email('dev@example.org'),
  extension('1.3.6.1.4.1.57264.1.8', false, derUtf8String(identityIssuer)),
  extension('1.3.6.1.4.1.57264.1.12', false, derUtf8String(source)),
]

function asAuthority(certificates: readonly Uint8Array[], uri = 'https://ca.example', commonName = 'ca'): AuthorityInstance {
  return { organization: 'example', commonName, uri, certificates, validFor: { start: start2026 } }
}
const trustedRoot = rootOf({
  logs: [v1.instance, other.instance, v2.instance],
  certificateAuthorities: [asAuthority([authority.intermediate, authority.root])],
  timestampAuthorities: [asAuthority([tsa.leaf, tsa.root])],
})

function certificate(wishes: Partial<Wanted> = {}): Uint8Array {
  const own = { privateKey: key.privateKey, spki: key.publicKey.spki }
  return issue({ issuer: authority.issuer, subject: nameOf(''), key: own, extensions: certified, ...wishes })
}
const leaf = certificate()
const content = messageBy(key)
const timed = logBody(v1, hashedrekordV1(content.signature, leaf, artifactBytes))
const untimed = logBody(v2, hashedrekordV2(content.signature, leaf, artifactBytes))
const stampBy = (by: TestTsa): Uint8Array => responseWith(tokenBy(by, { message: content.signature, genTimeMs: signedAtMs }))

function entityWith(parts: Partial<SignedEntity> = {}): SignedEntity {
  return { ...entityOf(content, { kind: 'certificate', chain: [leaf] }), logEntries: [timed], ...parts }
}

const exact = (value: string): NameMatch => ({ kind: 'exact', value })
const dev = { issuer: exact(identityIssuer), subject: exact('dev@example.org') }
const anyone: SignerDemand = { kind: 'any_certified_signer_UNSAFE', reason: 'inventory' }

function verifyIt(
  entity: SignedEntity,
  signer: SignerDemand = { kind: 'identities', identities: [dev] },
  wishes: Partial<VerifyPolicy> = {},
  root: Partial<TrustedRoot> = {},
): Promise<Verification> {
  const sct = { kind: 'waived_UNSAFE', reason: 'no CT log in this test' } as const
  return verified(entity, policyOf(signer, { sct, ...wishes }), { trustedRoot: { ...trustedRoot, ...root } })
}

describe('a certified signer', () => {
  it('is identified by extensions too, if they are named', async () => {
    const demanding = (value: string): SignerDemand => ({
      kind: 'identities',
      identities: [{ ...dev, extensions: new Map([[12, exact(value)]]) }],
    })
    const result = await verifyIt(entityWith(), demanding(source))
    expect(result.ok && result.evidence.checks.find(({ check }) => check === 'identity')?.detail).toBe(
      `subject dev@example.org, issuer ${identityIssuer}, 1.3.6.1.4.1.57264.1.12 ${source}`,
    )
    expect(await verifyIt(entityWith(), demanding('https://code.example/fork'))).toMatchObject({ code: 'identity_mismatch' })
  })

  it('needs a log entry whoever it is: accepting anyone does not accept what nobody saw', async () => {
    expect(await verifyIt(entityWith({ logEntries: [] }), anyone)).toMatchObject({ ok: false, code: 'log_entry_missing' })
    expect(await verifyIt(entityWith(), anyone)).toMatchObject({ ok: true })
  })

  it('is told with the issuer and each time at which the chain holds', async () => {
    const later = logBody(other, hashedrekordV1(content.signature, leaf, artifactBytes), { integratedTimeMs: signedAtMs + 1000 })
    const result = await verifyIt(entityWith({ logEntries: [timed, later] }))
    expect(result.ok && result.evidence.checks.find(({ check }) => check === 'certificate_chain')?.detail).toBe(
      'CN=intermediate issued the certificate; the chain holds at 2026-06-01T00:00:00Z, 2026-06-01T00:00:01Z',
    )
  })

  it('attack: whose certificate is itself in the list of authorities is refused, since nobody issued it', async () => {
    const result = await verifyIt(entityWith(), undefined, {}, { certificateAuthorities: [asAuthority([leaf])] })
    expect(result).toMatchObject({ ok: false, code: 'certificate_untrusted' })
  })

  it('whose certificate is unsuitable is refused with what is expected and what was found', async () => {
    const unsuitable = certificate({ extensions: [extensions.timeStamping(), ...certified.slice(1)] })
    const logEntries = [logBody(v1, hashedrekordV1(content.signature, unsuitable, artifactBytes))]
    const entity = entityWith({ material: { kind: 'certificate', chain: [unsuitable] }, logEntries })
    expect(await verifyIt(entity)).toMatchObject({
      code: 'certificate_unsuitable',
      expected: 'extended key usage codeSigning',
      found: '1.3.6.1.5.5.7.3.8',
    })
  })
})

describe('the key of a certificate', () => {
  const withKey = (spki: Uint8Array): SignedEntity =>
    entityWith({ material: { kind: 'certificate', chain: [certificate({ key: { privateKey: key.privateKey, spki } })] } })

  it('of a kind that the platform does not take is key_unsupported', async () => {
    const { publicKey } = generateKeyPairSync('ed448')
    expect(await verifyIt(withKey(publicKey.export({ type: 'spki', format: 'der' })))).toMatchObject({
      ok: false,
      code: 'key_unsupported',
    })
  })

  it('that is none is bundle_malformed, and says whose', async () => {
    const ecdsaP256 = derSequence(derOid('1.2.840.10045.2.1'), derOid('1.2.840.10045.3.1.7'))
    const result = await verifyIt(withKey(derSequence(ecdsaP256, derBitString(new Uint8Array(65)))))
    expect(result).toMatchObject({ ok: false, code: 'bundle_malformed' })
    expect(result.ok ? '' : result.detail).toMatch(/^the signer's certificate: /)
  })
})

describe('foreign timestamps', () => {
  it('alone are timestamp_untrusted, with how many there are, not a missing time', async () => {
    for (const count of [1, 3]) {
      const timestamps = Array.from({ length: count }, () => stampBy(foreign))
      expect(await verifyIt(entityWith({ logEntries: [untimed], timestamps }))).toMatchObject({
        ok: false,
        code: 'timestamp_untrusted',
        detail: 'only authorities that are not trusted have stamped the signature',
        expected: 'a timestamp of an authority of the trusted root',
        found: `${count} by others`,
      })
    }
    expect(await verifyIt(entityWith({ logEntries: [untimed] }))).toMatchObject({ ok: false, code: 'trusted_time_missing' })
  })

  it('do no harm beside a trusted time, and none to a key, which needs no time', async () => {
    expect(await verifyIt(entityWith({ timestamps: [stampBy(foreign)] }))).toMatchObject({ ok: true })
    expect(await verifyIt(entityWith({ logEntries: [untimed], timestamps: [stampBy(foreign), stampBy(tsa)] }))).toMatchObject({ ok: true })
    expect(await verifyIt(entityWith({ logEntries: [untimed], timestamps: [stampBy(foreign)] }), keysOf(key))).toMatchObject({ ok: true })
  })

  it('do not meet a demand, which names the authorities that would, by address or by name', async () => {
    const timestampAuthorities = [asAuthority([tsa.leaf, tsa.root]), asAuthority([authority.root], '', 'nameless'), asAuthority([])]
    const required = { signedTimestamp: { kind: 'required' } } as const
    expect(await verifyIt(entityWith({ timestamps: [stampBy(foreign)] }), keysOf(key), required, { timestampAuthorities })).toMatchObject({
      code: 'timestamp_untrusted',
      expected: 'https://ca.example, nameless, https://ca.example',
    })
    expect(await verifyIt(entityWith(), keysOf(key), required, { timestampAuthorities })).toMatchObject({ code: 'timestamp_missing' })
  })

  it('and trusted ones alike prove nothing without a trusted root', async () => {
    const entity = { ...entityOf(content), timestamps: [stampBy(tsa)] }
    const policy = policyOf(keysOf(key), { signedTimestamp: { kind: 'required' } })
    expect(await verified(entity, policy)).toMatchObject({
      ok: false,
      code: 'trust_missing',
      detail: 'a timestamp is demanded, but no trusted root was given',
    })
  })
})

describe('a certificate without the promise of a CT log', () => {
  it('is sct_missing, and the logs that would do are named', async () => {
    const ct = (name: string): TrustedRoot['ctLogs'][number] => ({ ...v1.instance, baseUrl: `https://${name}` })
    const sct = { sct: { kind: 'required' } } as const
    const ctLogs = [ct('ct1.example'), ct('ct2.example')]
    expect(await verifyIt(entityWith(), undefined, sct, { ctLogs })).toMatchObject({
      code: 'sct_missing',
      expected: 'https://ct1.example, https://ct2.example',
    })
  })
})
