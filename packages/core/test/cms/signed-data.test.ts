import { generateKeyPairSync, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '../../src/bytes.ts'
import { cmsOid } from '../../src/cms/oids.ts'
import { parseSignedData, type SignedData } from '../../src/cms/signed-data.ts'
import { isNamedSigner, verifySignedData } from '../../src/cms/verify.ts'
import { derElement, derExplicit, derImplicit, derInteger, derOctetString, derOid, derSequence, derSet } from '../../src/der/writer.ts'
import { CountersignError, type FailureCode } from '../../src/failure.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { parseCertificate, type Certificate } from '../../src/x509/certificate.ts'
import { algorithmOid } from '../../src/x509/oids.ts'
import { extensions, issue, nameOf, newKey, type Issuer } from '../x509/issue.ts'
import { hasOpenssl, needsOpenssl, openssl } from '../x509/openssl.ts'
import { attributes } from '../rfc3161/stamp.ts'

const primitives = webPrimitives(crypto.subtle)
const content = utf8('tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n')

function codeOf(der: Uint8Array): FailureCode | undefined {
  try {
    parseSignedData(der)
  } catch (error) {
    if (error instanceof CountersignError) return error.code
    throw error
  }
  return undefined
}

describe.skipIf(!hasOpenssl)(`SignedData that OpenSSL writes ${needsOpenssl}`, () => {
  let folder = ''
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(path.join(folder, name)))
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'cms-'))
    writeFileSync(path.join(folder, 'content'), content)
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const pss = ['-keyopt', 'rsa_padding_mode:pss', '-keyopt', 'rsa_pss_saltlen:digest']
  const kinds: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['P-256', p256, ['-md', 'sha256']],
    ['P-256, named by key identifier', p256, ['-md', 'sha256', '-keyid']],
    ['P-384 with SHA-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], ['-md', 'sha256']],
    ['P-521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], ['-md', 'sha512']],
    ['RSA', ['-newkey', 'rsa:2048'], ['-md', 'sha384']],
    ['RSASSA-PSS', ['-newkey', 'rsa:2048'], ['-md', 'sha256', ...pss]],
    ['P-256, without signed attributes', p256, ['-md', 'sha256', '-noattr']],
  ]
  it.each(kinds)('is read, and its signature verified: %s', async (_, newKeyOptions, options) => {
    openssl(folder, 'req', '-x509', '-nodes', ...newKeyOptions, '-keyout', 'key', '-out', 'certificate', '-subj', '/CN=signer')
    openssl(
      folder,
      'cms',
      '-sign',
      '-binary',
      '-in',
      'content',
      '-signer',
      'certificate',
      '-inkey',
      'key',
      ...options,
      '-outform',
      'DER',
      '-out',
      'signed',
    )
    const signedData = parseSignedData(read('signed'))
    const certificate = parseCertificate(new Uint8Array(new X509Certificate(read('certificate')).raw))
    expect(signedData.contentType).toBe(cmsOid.data)
    expect(signedData.content).toBeUndefined()
    expect(signedData.certificates).toEqual([certificate.raw])
    expect(isNamedSigner(signedData.signer.identifier, certificate)).toBe(true)
    expect(await verifySignedData({ signedData, content, certificate, primitives })).toEqual({ ok: true })
    expect(await verifySignedData({ signedData, content: utf8('x'), certificate, primitives })).toMatchObject({ ok: false })
  })

  it('is refused when it is BER, streamed with indefinite lengths', () => {
    openssl(folder, 'req', '-x509', '-nodes', ...p256, '-keyout', 'key', '-out', 'certificate', '-subj', '/CN=signer')
    openssl(
      folder,
      'cms',
      '-sign',
      '-stream',
      '-nodetach',
      '-binary',
      '-in',
      'content',
      '-signer',
      'certificate',
      '-inkey',
      'key',
      '-outform',
      'DER',
      '-out',
      'ber',
    )
    expect(codeOf(read('ber'))).toBe('cms_malformed')
  })
})

const issuer: Issuer = { name: nameOf('authority'), key: newKey() }
const key = newKey()
const certificate: Certificate = parseCertificate(issue({ issuer, key, extensions: [extensions.subjectKeyId('signer')] }))
const digestSha256 = derSequence(derOid(algorithmOid.sha256))

type Parts = {
  readonly attributes?: readonly Uint8Array[]
  /** The [0] of signed attributes as it travels, in place of the sorted one. */
  readonly attributesDer?: Uint8Array
  readonly digest?: string
  readonly signatureAlgorithm?: string
  readonly signer?: (signerInfo: Uint8Array) => readonly Uint8Array[]
  readonly version?: number
  readonly signerVersion?: number
  readonly identifier?: Uint8Array
  readonly signWith?: KeyObject
}

const ordinary = [attributes.contentType(cmsOid.data), attributes.messageDigest(content)]

/** A detached SignedData over `content`, changed as wanted. */
function build(parts: Parts = {}): Uint8Array {
  const signed = derSet(...(parts.attributes ?? ordinary))
  const signerInfo = derSequence(
    derInteger(parts.signerVersion ?? 1),
    parts.identifier ?? derSequence(certificate.issuer.raw, derInteger(7)),
    derSequence(derOid(parts.digest ?? algorithmOid.sha256)),
    parts.attributesDer ?? derImplicit(0, signed),
    derSequence(derOid(parts.signatureAlgorithm ?? algorithmOid.ecdsaWithSha256)),
    derOctetString(new Uint8Array(sign(parts.signWith ? null : 'sha256', signed, parts.signWith ?? key.privateKey))),
  )
  const body = derSequence(
    derInteger(parts.version ?? 1),
    derSet(digestSha256),
    derSequence(derOid(cmsOid.data)),
    derSet(...(parts.signer?.(signerInfo) ?? [signerInfo])),
  )
  return derSequence(derOid(cmsOid.signedData), derExplicit(0, body))
}

const verify = async (der: Uint8Array, over: Uint8Array = content): Promise<string> => {
  const result = await verifySignedData({ signedData: parseSignedData(der), content: over, certificate, primitives })
  return result.ok ? 'ok' : result.detail
}

describe('SignedData', () => {
  it('holds with the digest and type of the content in its signed attributes', async () => {
    expect(await verify(build())).toBe('ok')
  })

  it('may name its signer by key identifier', async () => {
    const der = build({ signerVersion: 3, version: 3, identifier: derElement(0x80, utf8('signer')) })
    const { signer }: SignedData = parseSignedData(der)
    expect(isNamedSigner(signer.identifier, certificate)).toBe(true)
    expect(isNamedSigner({ kind: 'key-id', keyId: utf8('other') }, certificate)).toBe(false)
    expect(await verify(der)).toBe('ok')
  })

  it('does not hold when its signature algorithm names another hash than its digest', async () => {
    expect(await verify(build({ signatureAlgorithm: algorithmOid.ecdsaWithSha384 }))).toContain('does not fit')
    expect(await verify(build({ signatureAlgorithm: algorithmOid.sha256WithRsa }))).toContain('does not fit')
    expect(await verify(build({ signatureAlgorithm: algorithmOid.ecPublicKey }))).toBe('ok')
  })

  it('may be signed with Ed25519, which hashes by itself', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }))
    const ed25519 = parseCertificate(issue({ issuer, key: { privateKey, spki } }))
    const signedData = parseSignedData(build({ signatureAlgorithm: algorithmOid.ed25519, signWith: privateKey }))
    expect(await verifySignedData({ signedData, content, certificate: ed25519, primitives })).toEqual({ ok: true })
    expect(await verifySignedData({ signedData, content, certificate, primitives })).toMatchObject({ ok: false })
  })

  it('does not hold with SHA-1', async () => {
    expect(await verify(build({ digest: '1.3.14.3.2.26' }))).toContain('not supported')
  })

  it('attack: the signed attributes of one message as the content of another that has none', async () => {
    const signed = derSet(...ordinary)
    const bare = derSequence(
      derInteger(1),
      derSequence(certificate.issuer.raw, derInteger(7)),
      digestSha256,
      derSequence(derOid(algorithmOid.ecdsaWithSha256)),
      derOctetString(new Uint8Array(sign('sha256', signed, key.privateKey))),
    )
    expect(await verify(build({ signer: () => [bare] }), signed)).toContain('reads as signed attributes')
  })

  const twice = [...ordinary, attributes.messageDigest(utf8('x'))]
  const empty = derSequence(derOid('1.2.3'), derSet())
  const unsorted = derElement(0xa0, concatBytes(...ordinary.toReversed()))
  const refused: readonly (readonly [string, Parts])[] = [
    ['no signer', { signer: () => [] }],
    ['two signers', { signer: (one) => [one, one] }],
    ['an attribute twice', { attributes: twice }],
    ['an attribute without value', { attributes: [...ordinary, empty] }],
    ['an empty set of attributes', { attributes: [] }],
    ['attributes that are not sorted', { attributesDer: unsorted }],
    ['an unknown version', { version: 2 }],
    ['a signer whose version does not fit its name', { signerVersion: 3 }],
    ['a signer with a further field', { signer: (one) => [derSequence(one, derInteger(1))] }],
  ]
  it.each(refused)('is refused when it has %s', (_, parts) => {
    expect(codeOf(build(parts))).toBe('cms_malformed')
  })

  it('is refused when it is another kind of content', () => {
    expect(codeOf(derSequence(derOid(cmsOid.data), derExplicit(0, derOctetString(content))))).toBe('cms_malformed')
  })

  it('fails with a code, never otherwise, when any byte is altered, and then never holds for other content', async () => {
    const der = build()
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const altered = der.with(at, (der[at] as number) ^ mask)
        const outcome = codeOf(altered) ?? (await verify(altered, utf8('other')))
        expect(outcome).not.toBe('ok')
        expect(codeOf(der.subarray(0, at))).toBe('cms_malformed')
      }),
      { numRuns: 500 },
    )
  })
})
