import { describe, expect, it } from 'vitest'
import { derElement, derOctetString, derSequence } from '../../src/der/writer.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate } from '../../src/x509/certificate.ts'
import { verifyChain, type ChainAuthority, type ChainRequest, type ChainResult } from '../../src/x509/chain.ts'
import { extensionOid, purposeOid } from '../../src/x509/oids.ts'
import { end2026, extension, extensions, issue, nameOf, newAuthority, newKey, start2026, type Issuer, type Wanted } from './issue.ts'

const primitives = webPrimitives(crypto.subtle)
const authority = newAuthority()
const always = { start: 0 }
const trusted: ChainAuthority = { certificates: [authority.intermediate, authority.root], validFor: always }
const minute = 60_000
const issuedMs = Date.UTC(2026, 5, 1)

/** A leaf for code signing that lives for ten minutes, changed as wanted. */
function leafOf(wanted: Partial<Wanted> = {}): Uint8Array {
  return issue({
    issuer: authority.issuer,
    notBeforeMs: issuedMs,
    notAfterMs: issuedMs + 10 * minute,
    extensions: ordinary,
    ...wanted,
  })
}

const ordinary = [
  extensions.keyUsage('digitalSignature'),
  extensions.codeSigning(),
  extensions.email('ada@example.com'),
  extensions.authorityKeyId('intermediate'),
]

type Change = Omit<Partial<ChainRequest>, 'leaf' | 'intermediates'> & { readonly intermediates?: readonly Uint8Array[] }

function check(leaf: Uint8Array, { intermediates = [], ...change }: Change = {}): Promise<ChainResult> {
  return verifyChain({
    leaf: parseCertificate(leaf),
    intermediates: intermediates.map(parseCertificate),
    anchors: [trusted],
    timeMs: issuedMs + minute,
    purpose: 'codeSigning',
    primitives,
    ...change,
  })
}

/** An authority certificate below the root (or another issuer), with its own key. */
function authorityBelow(wanted: Partial<Wanted> & { readonly name: string; readonly extensions: readonly Uint8Array[] }): {
  der: Uint8Array
  issuer: Issuer
} {
  const issuer: Issuer = { name: nameOf(wanted.name), key: newKey() }
  return { der: issue({ issuer: authority.rootIssuer, subject: issuer.name, key: issuer.key, ...wanted }), issuer }
}

describe('a chain holds', () => {
  it('from the leaf over a trusted intermediate to the root', async () => {
    const result = await check(leafOf())
    expect(result).toMatchObject({ ok: true, authorityIndex: 0 })
    expect(result.ok && result.chain.map((each) => each.subject.text)).toEqual(['CN=leaf', 'CN=intermediate', 'CN=root'])
  })

  it('to an intermediate that is the only trusted certificate', async () => {
    const result = await check(leafOf(), { anchors: [{ certificates: [authority.intermediate], validFor: always }] })
    expect(result.ok && result.chain.length).toBe(2)
  })

  it('from a leaf that a self-signed root issued directly', async () => {
    const leaf = leafOf({ issuer: authority.rootIssuer, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { anchors: [{ certificates: [authority.root], validFor: always }] })).toMatchObject({ ok: true })
  })

  it('over an intermediate from the bundle that chains to the root', async () => {
    const anchors = [{ certificates: [authority.root], validFor: always }]
    expect(await check(leafOf(), { anchors, intermediates: [authority.intermediate] })).toMatchObject({ ok: true })
  })

  it('at both ends of the leaf, of the intermediates and of the trust in the authority, inclusive', async () => {
    for (const timeMs of [issuedMs, issuedMs + 10 * minute]) expect(await check(leafOf(), { timeMs })).toMatchObject({ ok: true })
    const long = leafOf({ notBeforeMs: start2026, notAfterMs: end2026 })
    for (const timeMs of [start2026, end2026]) expect(await check(long, { timeMs })).toMatchObject({ ok: true })
    const timeMs = issuedMs + minute
    expect(await check(long, { timeMs, anchors: [{ ...trusted, validFor: { start: timeMs, end: timeMs } }] })).toMatchObject({ ok: true })
  })

  it('to the second of two authorities, and says which', async () => {
    const other = newAuthority()
    const anchors = [{ certificates: [other.intermediate, other.root], validFor: always }, trusted]
    expect(await check(leafOf(), { anchors })).toMatchObject({ ok: true, authorityIndex: 1 })
  })

  it('when an authority has renewed its certificate under the same name and key', async () => {
    const old = issue({
      issuer: authority.rootIssuer,
      subject: authority.issuer.name,
      key: authority.issuer.key,
      notAfterMs: start2026 + 1000,
      extensions: [extensions.ca(0)],
    })
    const anchors = [{ certificates: [old, authority.intermediate, authority.root], validFor: always }]
    expect(await check(leafOf(), { anchors })).toMatchObject({ ok: true })
  })
})

describe('the path length of an authority', () => {
  it('does not count authorities that issued to themselves, as at a change of keys', async () => {
    const first = authorityBelow({ name: 'one', extensions: [extensions.ca(0)] })
    const renewed: Issuer = { name: first.issuer.name, key: newKey() }
    const rollover = issue({ issuer: first.issuer, subject: renewed.name, key: renewed.key, extensions: [extensions.ca(0)] })
    const leaf = leafOf({ issuer: renewed, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { intermediates: [first.der, rollover] })).toMatchObject({ ok: true })
  })
})

describe('a chain is refused as certificate_untrusted', () => {
  const untrusted = { ok: false, code: 'certificate_untrusted' }

  it('when the trusted root is empty', async () => {
    expect(await check(leafOf(), { anchors: [] })).toMatchObject(untrusted)
    expect(await check(leafOf(), { anchors: [{ certificates: [], validFor: always }] })).toMatchObject(untrusted)
  })

  it('attack: an authority of the same names with other keys', async () => {
    const imposter = newAuthority()
    expect(await check(leafOf({ issuer: imposter.issuer }))).toMatchObject(untrusted)
    expect(await check(leafOf({ issuer: imposter.issuer }), { intermediates: [imposter.intermediate, imposter.root] })).toMatchObject(
      untrusted,
    )
  })

  it('attack: a bundle that brings its own root', async () => {
    const own = authorityBelow({ name: 'own root', extensions: [extensions.ca()] })
    const root = issue({ issuer: own.issuer, subject: own.issuer.name, key: own.issuer.key, extensions: [extensions.ca()] })
    expect(await check(leafOf({ issuer: own.issuer, extensions: [extensions.codeSigning()] }), { intermediates: [root] })).toMatchObject(
      untrusted,
    )
  })

  it('attack: a leaf whose bytes were altered after signing', async () => {
    const leaf = leafOf()
    const at = Buffer.from(leaf).indexOf('ada@')
    leaf[at] = 0x65
    expect(await check(leaf)).toMatchObject(untrusted)
  })

  it('when the key identifiers of leaf and issuer differ', async () => {
    const extensionsWithOther = [...ordinary.slice(0, 3), extensions.authorityKeyId('other')]
    expect(await check(leafOf({ extensions: extensionsWithOther }))).toMatchObject(untrusted)
  })

  it('when the leaf names another serial number of its issuer', async () => {
    const withSerial = (serial: number): Uint8Array =>
      extension(extensionOid.authorityKeyIdentifier, false, derSequence(derElement(0x82, Uint8Array.of(serial))))
    expect(await check(leafOf({ extensions: [extensions.codeSigning(), withSerial(7)] }))).toMatchObject({ ok: true })
    expect(await check(leafOf({ extensions: [extensions.codeSigning(), withSerial(8)] }))).toMatchObject(untrusted)
  })

  it('when the names differ in their encoding alone', async () => {
    const { der, issuer } = authorityBelow({ name: 'CA', extensions: [extensions.ca()] })
    const leaf = leafOf({ issuer: { ...issuer, name: nameOf('ca') }, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { anchors: [{ certificates: [der, authority.root], validFor: always }] })).toMatchObject(untrusted)
  })

  it('attack: intermediates of one name that would make the search endless', async () => {
    const name = nameOf('loop')
    const loop = Array.from({ length: 16 }, (_, serial) => {
      const key = newKey()
      return issue({
        issuer: { name, key: loopKey },
        subject: name,
        key: serial % 2 === 0 ? loopKey : key,
        serial,
        extensions: [extensions.ca()],
      })
    })
    const leaf = leafOf({ issuer: { name, key: loopKey }, extensions: [extensions.codeSigning()] })
    let verifications = 0
    const counting = {
      ...primitives,
      verify: (...given: Parameters<typeof primitives.verify>) => (verifications++, primitives.verify(...given)),
    }
    expect(await check(leaf, { intermediates: loop, primitives: counting })).toMatchObject(untrusted)
    expect(verifications).toBeLessThanOrEqual(32)
  })

  it('when a chain is longer than eight certificates', async () => {
    const intermediates: Uint8Array[] = []
    let issuer = authority.rootIssuer
    for (let i = 0; i < 7; i++) {
      const below = authorityBelow({ name: `level ${i}`, issuer, extensions: [extensions.ca()] })
      intermediates.push(below.der)
      issuer = below.issuer
    }
    const leaf = leafOf({ issuer, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { intermediates })).toMatchObject(untrusted)
  })
})

const loopKey = newKey()

describe('a chain is refused as certificate_expired', () => {
  const expired = { ok: false, code: 'certificate_expired' }

  it('a moment before and after the validity of the leaf', async () => {
    expect(await check(leafOf(), { timeMs: issuedMs - 1 })).toMatchObject(expired)
    expect(await check(leafOf(), { timeMs: issuedMs + 10 * minute + 1 })).toMatchObject(expired)
  })

  it('when an intermediate or the root is not valid at that time', async () => {
    const long = leafOf({ notBeforeMs: start2026 - minute, notAfterMs: end2026 + minute })
    expect(await check(long, { timeMs: end2026 + 1 })).toMatchObject(expired)
    expect(await check(long, { timeMs: start2026 - 1 })).toMatchObject(expired)
  })

  it('when the trusted root no longer, or not yet, trusts the authority', async () => {
    const timeMs = issuedMs + minute
    for (const validFor of [{ start: 0, end: timeMs - 1 }, { start: timeMs + 1 }]) {
      expect(await check(leafOf(), { anchors: [{ ...trusted, validFor }] })).toMatchObject(expired)
    }
  })
})

describe('a chain is refused as certificate_unsuitable', () => {
  const unsuitable = { ok: false, code: 'certificate_unsuitable' }
  const unknownCritical = extension('1.2.3.4', true, derOctetString(new Uint8Array()))

  const leaves: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['has no purpose', [extensions.keyUsage('digitalSignature')]],
    ['is for another purpose', [extensions.purposes(false, purposeOid.timeStamping)]],
    ['is for any purpose, which does not say code signing', [extensions.purposes(false, purposeOid.any)]],
    ['is an authority', [extensions.codeSigning(), extensions.ca()]],
    ['may not make signatures', [extensions.codeSigning(), extensions.keyUsage('keyEncipherment')]],
    ['has an unknown critical extension', [extensions.codeSigning(), unknownCritical]],
    [
      'is a precertificate, which was never meant to be used',
      [extensions.codeSigning(), extension(extensionOid.precertificatePoison, true, Uint8Array.of(5, 0))],
    ],
  ]
  it.each(leaves)('when the leaf %s', async (_, wanted) => {
    expect(await check(leafOf({ extensions: wanted }))).toMatchObject(unsuitable)
  })

  const issuers: readonly (readonly [string, readonly Uint8Array[]])[] = [
    ['is no authority (an attack: a leaf that signs certificates)', [extensions.codeSigning(), extensions.keyUsage('digitalSignature')]],
    ['says nothing of being an authority', [extensions.keyUsage('keyCertSign')]],
    ['may not sign certificates', [extensions.ca(), extensions.keyUsage('digitalSignature')]],
    ['is for another purpose', [extensions.ca(), extensions.purposes(false, purposeOid.timeStamping)]],
    ['has an unknown critical extension', [extensions.ca(), unknownCritical]],
    ['has name constraints, which are not supported', [extensions.ca(), extension(extensionOid.nameConstraints, true, derSequence())]],
  ]
  it.each(issuers)('when an issuer %s', async (_, wanted) => {
    const { der, issuer } = authorityBelow({ name: 'issuer', extensions: wanted })
    const leaf = leafOf({ issuer, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { anchors: [{ certificates: [der, authority.root], validFor: always }] })).toMatchObject(unsuitable)
    expect(await check(leaf, { intermediates: [der] })).toMatchObject(unsuitable)
  })

  it('when there are more authorities below one than it allows', async () => {
    const first = authorityBelow({ name: 'first', extensions: [extensions.ca(0)] })
    const second = authorityBelow({ name: 'second', issuer: first.issuer, extensions: [extensions.ca()] })
    const leaf = leafOf({ issuer: second.issuer, extensions: [extensions.codeSigning()] })
    expect(await check(leaf, { intermediates: [first.der, second.der] })).toMatchObject(unsuitable)
  })

  it('for timestamps, when the leaf has further purposes or its purpose is not critical', async () => {
    const directly: Issuer = authority.rootIssuer
    const purpose = 'timeStamping' as const
    for (const wanted of [
      extensions.purposes(false, purposeOid.timeStamping),
      extensions.purposes(true, purposeOid.timeStamping, purposeOid.codeSigning),
      extensions.purposes(true, purposeOid.any),
      extensions.codeSigning(),
    ]) {
      expect(await check(leafOf({ issuer: directly, extensions: [wanted] }), { purpose })).toMatchObject(unsuitable)
    }
    expect(await check(leafOf({ issuer: directly, extensions: [extensions.timeStamping()] }), { purpose })).toMatchObject({ ok: true })
  })
})
