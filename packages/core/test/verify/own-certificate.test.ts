import { describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '../../src/bytes.ts'
import { derElement, derExplicit, derOid, derSequence, derSet, derUtf8String } from '../../src/der/writer.ts'
import type { SignedEntity } from '../../src/bundle/model.ts'
import type { Verification } from '../../src/verify/evidence.ts'
import type { CertifiedSubject, OwnAuthority } from '../../src/verify/policy.ts'
import { usernameOid } from '../../src/x509/alternative-names.ts'
import { extensionOid } from '../../src/x509/oids.ts'
import { newTsa, responseWith, tokenBy } from '../rfc3161/stamp.ts'
import { extension, extensions, issue, nameOf, newAuthority, start2026, type Wanted } from '../x509/issue.ts'
import { entityOf, messageBy, newTestKey, nowMs, policyOf, rootOf, signedAtMs, verified } from './forge.ts'

const acme = newAuthority()
const evil = newAuthority()
const key = newTestKey()
const tsas = [newTsa(), newTsa({ serial: 9 })] as const
const trustedRoot = rootOf({
  timestampAuthorities: tsas.map(({ leaf, root }) => ({
    organization: 'x',
    commonName: 'tsa',
    uri: 'https://tsa.example',
    certificates: [leaf, root],
    validFor: { start: start2026 },
  })),
})
const use = [extensions.codeSigning(), extensions.keyUsage('digitalSignature')]

function certificate(wishes: Partial<Wanted> = {}): Uint8Array {
  const own = { privateKey: key.privateKey, spki: key.publicKey.spki }
  return issue({ issuer: acme.issuer, subject: nameOf('Alice'), key: own, extensions: use, ...wishes })
}

/** Alternative names, each as a GeneralName. */
function named(...names: readonly Uint8Array[]): Partial<Wanted> {
  return { extensions: [...use, extension(extensionOid.subjectAltName, false, derSequence(...names))] }
}
const mail = (text: string): Uint8Array => derElement(0x81, utf8(text))

function entityWith(leaf: Uint8Array, ...stampedMs: readonly number[]): SignedEntity {
  const content = messageBy(key)
  const timestamps = stampedMs.map((genTimeMs, index) =>
    responseWith(tokenBy(tsas[index] as (typeof tsas)[0], { message: content.signature, genTimeMs })),
  )
  return { ...entityOf(content, { kind: 'certificate', chain: [leaf, acme.intermediate] }), timestamps }
}

function authority(id: string, wishes: Partial<OwnAuthority> = {}): OwnAuthority {
  return {
    id,
    text: `a certificate of ${id}`,
    anchors: [{ certificates: [acme.root], validFor: { start: start2026 } }],
    accepts: () => true,
    purpose: 'codeSigning',
    time: { kind: 'trusted' },
    ...wishes,
  }
}
const stranger = authority('a stranger', { anchors: [{ certificates: [evil.root], validFor: { start: start2026 } }] })
const ended = authority('acme as it was', { anchors: [{ certificates: [acme.root], validFor: { start: 0, end: signedAtMs - 1 } }] })

function verifyBy(
  authorities: readonly OwnAuthority[],
  entity: SignedEntity = entityWith(certificate(), signedAtMs),
): Promise<Verification> {
  return verified(entity, policyOf({ kind: 'authorities', authorities }), { trustedRoot })
}

describe('a signature that authorities of the verifier’s own certify', () => {
  it('is by each authority whose chain holds, and a log or SCT is not asked for', async () => {
    const result = await verifyBy([stranger, authority('acme'), authority('acme too')])
    expect(result).toMatchObject({
      ok: true,
      evidence: {
        signer: {
          issuer: 'CN=intermediate',
          subject: 'Alice',
          own: { authorities: ['acme', 'acme too'], names: [], commonName: 'Alice', distinguishedName: 'CN=Alice' },
        },
      },
    })
  })

  it('by none is trust_missing: an empty list accepts nobody', async () => {
    expect(await verifyBy([])).toMatchObject({ ok: false, code: 'trust_missing' })
  })

  it('that none of them accepts is identity_mismatch, with eight of the demands and eight of the names', async () => {
    const authorities = Array.from({ length: 9 }, (_, index) => authority(`number ${index}`, { accepts: () => false }))
    const names = Array.from({ length: 9 }, (_, index) => mail(`alice${index}@acme.example`))
    expect(await verifyBy(authorities, entityWith(certificate(named(...names)), signedAtMs))).toMatchObject({
      code: 'identity_mismatch',
      expected: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => `a certificate of number ${index}`).join(', or '),
      found: `${[0, 1, 2, 3, 4, 5, 6, 7].map((index) => `alice${index}@acme.example`).join(', ')}, CN=Alice`,
    })
    const nameless = entityWith(certificate({ ...named(mail('a@acme.example'), mail('b@acme.example')), subject: nameOf('') }), signedAtMs)
    expect(await verifyBy(authorities.slice(0, 1), nameless)).toMatchObject({ found: 'a@acme.example, b@acme.example' })
  })

  it('that all refuse is refused with what says most: a chain that has ended over none at all', async () => {
    for (const authorities of [
      [stranger, ended],
      [ended, stranger],
    ]) {
      expect(await verifyBy(authorities)).toMatchObject({ ok: false, code: 'certificate_expired' })
    }
    const unsuitable = entityWith(certificate({ extensions: [extensions.timeStamping()] }), signedAtMs)
    expect(await verifyBy([authority('acme')], unsuitable)).toMatchObject({
      code: 'certificate_unsuitable',
      expected: 'extended key usage codeSigning',
    })
    expect(await verifyBy([stranger])).toMatchObject({ ok: false, code: 'certificate_untrusted' })
  })
})

describe('the names of a certificate', () => {
  const username = derElement(0xa0, concatBytes(derOid(usernameOid), derExplicit(0, derUtf8String('alice!acme'))))
  const registered = derElement(0x88, Uint8Array.of(0x2a, 0x03))
  const all = named(
    registered,
    mail('alice@acme.example'),
    derElement(0x82, utf8('build.acme.example')),
    derElement(0x86, utf8('https://acme.example/alice')),
    derElement(0x87, Uint8Array.of(192, 0, 2, 7)),
    username,
  )

  it('are those of five kinds, each told with its kind; of others nothing is made', async () => {
    const asked: CertifiedSubject[] = []
    const accepts = (subject: CertifiedSubject): boolean => asked.push(subject) > 0
    const result = await verifyBy([authority('acme', { accepts })], entityWith(certificate(all), signedAtMs))
    expect(result).toMatchObject({
      ok: true,
      evidence: {
        signer: {
          subject: 'alice@acme.example',
          own: {
            names: [
              { kind: 'email', value: 'alice@acme.example' },
              { kind: 'dns', value: 'build.acme.example' },
              { kind: 'uri', value: 'https://acme.example/alice' },
              { kind: 'ip', value: '192.0.2.7' },
              { kind: 'username', value: 'alice!acme' },
            ],
          },
        },
      },
    })
    const alternativeNames = ['alice@acme.example', 'build.acme.example', 'https://acme.example/alice', '192.0.2.7', 'alice!acme']
    expect(asked[0]).toStrictEqual({ issuer: 'CN=intermediate', commonName: 'Alice', alternativeNames })
  })

  it('may lack a common name, which is then absent everywhere', async () => {
    const asked: CertifiedSubject[] = []
    const accepts = (subject: CertifiedSubject): boolean => asked.push(subject) > 0
    const organization = derSequence(derSet(derSequence(derOid('2.5.4.10'), derUtf8String('Acme'))))
    const result = await verifyBy([authority('acme', { accepts })], entityWith(certificate({ subject: organization }), signedAtMs))
    expect(result).toMatchObject({ ok: true, evidence: { signer: { subject: 'O=Acme', own: { distinguishedName: 'O=Acme' } } } })
    expect(asked[0]).toStrictEqual({ issuer: 'CN=intermediate', alternativeNames: [] })
  })
})

describe('the time of a certificate', () => {
  const clock = { kind: 'verifier_clock_UNSAFE', reason: 'no timestamps here' } as const
  const until = (notAfterMs: number): Uint8Array => certificate({ notAfterMs })

  it('is every trusted time, and all of them are told', async () => {
    const result = await verifyBy([authority('acme')], entityWith(until(signedAtMs + 60_000), signedAtMs, signedAtMs + 5000))
    const told = result.ok && result.evidence.checks.find(({ check }) => check === 'certificate_chain')?.detail
    expect(told).toBe("CN=root is an anchor of the verifier's own; the chain holds at 2026-06-01T00:00:00Z, 2026-06-01T00:00:05Z")
    expect(await verifyBy([authority('acme')], entityWith(until(signedAtMs), signedAtMs, signedAtMs + 5000))).toMatchObject({
      code: 'certificate_expired',
    })
  })

  it('is missing where nobody stamped: trusted_time_missing', async () => {
    expect(await verifyBy([authority('acme')], entityWith(certificate()))).toMatchObject({
      ok: false,
      code: 'trusted_time_missing',
      expected: 'a timestamp of a trusted authority, or a signed entry timestamp of a trusted log',
    })
  })

  it('is the verifier’s only by name and where there is no other, and the report says so', async () => {
    const result = await verifyBy([authority('acme', { time: clock })], entityWith(until(nowMs)))
    const told = result.ok && result.evidence.checks.find(({ check }) => check === 'certificate_chain')?.detail
    expect(told).toContain("the chain holds at the verifier's clock alone (UNSAFE: no timestamps here)")
    expect(await verifyBy([authority('acme', { time: clock })], entityWith(until(nowMs - 1000)))).toMatchObject({
      code: 'certificate_expired',
    })
    // A certificate that has expired since still held when it was stamped, and one that was not yet valid then is not saved by the clock.
    expect(await verifyBy([authority('acme', { time: clock })], entityWith(until(signedAtMs), signedAtMs))).toMatchObject({ ok: true })
    const late = certificate({ notBeforeMs: nowMs })
    expect(await verifyBy([authority('acme', { time: clock })], entityWith(late, signedAtMs))).toMatchObject({
      code: 'certificate_expired',
    })
  })
})
