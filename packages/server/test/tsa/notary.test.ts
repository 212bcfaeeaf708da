/**
 * What the Notary Project's client demands of a timestamp before it attaches it, and again when it verifies: the rules of its specifications
 * (trust-store-trust-policy.md, "Validate Trusted Timestamp"; signature-specification.md, "Certificate Requirements") and of RFC 3161, RFC 5816 and
 * RFC 5652 as that client reads them. One test a rule, over the bytes of the token, so that the reader of these services vouches for nothing.
 */
import { createHash, randomBytes, verify, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DerNode, parseDer, readInteger, readOid } from '@countersign/core/der/reader'
import { derBoolean, derInteger, derNull, derOctetString, derOid, derSequence } from '@countersign/core/der/writer'
import { makeTsa, serveTsa, type MadeTsa, type ServedTsa } from './made.ts'

const hashes = { sha256: '2.16.840.1.101.3.4.2.1', sha384: '2.16.840.1.101.3.4.2.2', sha512: '2.16.840.1.101.3.4.2.3' } as const
type Hash = keyof typeof hashes

/** The signature value over which notation asks for a timestamp. */
const signature = new Uint8Array(randomBytes(64))
const digestOf = (hash: Hash, bytes: Uint8Array): Uint8Array => new Uint8Array(createHash(hash).update(bytes).digest())

let made: MadeTsa
let served: ServedTsa
beforeAll(async () => {
  made = await makeTsa()
  served = await serveTsa(made)
})
afterAll(() => served.app.close())

/** As the client writes it: NULL as parameters of the hash, a nonce of 159 bits, certificates wanted unless told otherwise. */
function request(hash: Hash, nonce: Uint8Array, certReq = true): Uint8Array {
  const imprint = derSequence(derSequence(derOid(hashes[hash]), derNull()), derOctetString(digestOf(hash, signature)))
  const number = Uint8Array.of(0x02, nonce.length, ...nonce)
  return derSequence(derInteger(1), imprint, number, ...(certReq ? [derBoolean(true)] : []))
}

const newNonce = (): Uint8Array => Uint8Array.of(0x5a, ...randomBytes(19))

async function asked(der: Uint8Array) {
  const answer = await served.app.inject({
    method: 'POST',
    url: '/tsa/api/v1/timestamp',
    payload: Buffer.from(der),
    headers: { 'content-type': 'application/timestamp-query' },
  })
  return { status: answer.statusCode, type: answer.headers['content-type'], bytes: new Uint8Array(answer.rawPayload) }
}

const at = (node: DerNode | undefined, ...path: readonly number[]): DerNode =>
  path.reduce<DerNode>((inner, index) => {
    const child = inner.children()[index]
    if (child === undefined) throw new TypeError(`no element ${index}`)
    return child
  }, node as DerNode)

/** The parts of a response, by their places in RFC 3161 §2.4.2 and RFC 5652 §5. */
function partsOf(bytes: Uint8Array) {
  const response = parseDer(bytes)
  const contentInfo = at(response, 1)
  const signedData = at(contentInfo, 1, 0)
  const fields = signedData.children()
  const certificates = fields.find(({ class: kind, tag }) => kind === 'context' && tag === 0)
  const infoBytes = at(fields[2], 1, 0).content
  const signers = fields.at(-1)?.children() ?? []
  const signer = signers[0]?.children() ?? []
  const attributes = new Map(signer[3]?.children().map((each) => [readOid(at(each, 0)), at(each, 1).children()] as const))
  return {
    status: at(response, 0, 0).content,
    contentType: readOid(at(contentInfo, 0)),
    innerType: readOid(at(fields[2], 0)),
    certificates: (certificates?.children() ?? []).map(({ raw }) => raw),
    infoBytes,
    info: parseDer(infoBytes).children(),
    signers,
    signer,
    attributes,
  }
}

async function granted(hash: Hash = 'sha256', certReq = true) {
  const nonce = newNonce()
  const der = request(hash, nonce, certReq)
  const { status, type, bytes } = await asked(der)
  expect([status, type]).toEqual([200, 'application/timestamp-reply'])
  return { ...partsOf(bytes), nonce, asked: parseDer(der).children() }
}

describe.each(['sha256', 'sha384', 'sha512'] as const)('a token over a signature hashed with %s', (hash) => {
  it('is granted, is SignedData over TSTInfo, version 1', async () => {
    const { status, contentType, innerType, info } = await granted(hash)
    expect([[...status], contentType, innerType]).toEqual([[0], '1.2.840.113549.1.7.2', '1.2.840.113549.1.9.16.1.4'])
    expect([...readInteger(info[0])]).toEqual([1])
  })

  it('has the imprint of the request, byte by byte, and its nonce', async () => {
    const { info, nonce, asked: wanted } = await granted(hash)
    expect(info[2]?.raw).toEqual(wanted[1]?.raw)
    expect(at(info[2], 1).content).toEqual(digestOf(hash, signature))
    expect(info.some(({ raw }) => Buffer.from(raw).equals(Buffer.from([0x02, nonce.length, ...nonce])))).toBe(true)
  })
})

describe('the time of a token', () => {
  it('is in UTC, in whole seconds, with an accuracy that is said: one second', async () => {
    const { info } = await granted()
    expect(Buffer.from(info[4]?.content ?? []).toString()).toBe('20260601120000Z')
    const accuracy = info[5]
    expect(accuracy?.raw).toEqual(derSequence(derInteger(1)))
  })

  it('is under a policy, which a request may name; another one is refused', async () => {
    const policy = '1.3.6.1.4.1.57264.2'
    const { info, asked: wanted } = await granted()
    expect(readOid(info[1])).toBe(policy)
    const [version, imprint, nonce] = wanted.map(({ raw }) => raw)
    const named = (oid: string) => derSequence(version!, imprint!, derOid(oid), nonce!, derBoolean(true))
    expect([...partsOf((await asked(named(policy))).bytes).status]).toEqual([0])
    expect((await asked(named('1.2.3.4'))).status).toBe(400)
  })
})

describe('the signature of a token', () => {
  it('is by one signer, version 1, named by issuer and serial number, with an algorithm that the client knows', async () => {
    const { signers, signer, certificates } = await granted()
    expect(signers).toHaveLength(1)
    expect([...readInteger(signer[0])]).toEqual([1])
    const [leaf] = certificates
    const tbs = at(parseDer(leaf ?? new Uint8Array()), 0).children()
    // version, serialNumber, signature, issuer
    expect(signer[1]?.children().map(({ raw }) => raw)).toEqual([tbs[3]?.raw, tbs[1]?.raw])
    expect(readOid(at(signer[2], 0))).toBe(hashes.sha256)
    expect(readOid(at(signer[4], 0))).toBe('1.2.840.10045.4.3.2')
  })

  it('is over its signed attributes as DER encodes a SET OF them: the client encodes them again before it verifies', async () => {
    const { signer, certificates } = await granted()
    const raw = (signer[3]?.children() ?? []).map(({ raw: each }) => Buffer.from(each))
    expect(raw).toEqual(raw.toSorted((a, b) => Buffer.compare(a, b)))
    const body = Buffer.concat(raw)
    const head =
      body.length < 128
        ? [0x31, body.length]
        : body.length < 256
          ? [0x31, 0x81, body.length]
          : [0x31, 0x82, body.length >> 8, body.length & 0xff]
    const key = new X509Certificate(certificates[0] ?? new Uint8Array()).publicKey
    expect(verify('sha256', Buffer.concat([Buffer.from(head), body]), key, signer[5]?.content ?? new Uint8Array())).toBe(true)
  })

  it('has one value for each attribute: content type, digest of TSTInfo, and a signing time within every certificate of the chain', async () => {
    const { attributes, infoBytes } = await granted()
    for (const values of attributes.values()) expect(values).toHaveLength(1)
    expect(readOid(attributes.get('1.2.840.113549.1.9.3')?.[0])).toBe('1.2.840.113549.1.9.16.1.4')
    expect(attributes.get('1.2.840.113549.1.9.4')?.[0]?.content).toEqual(digestOf('sha256', infoBytes))
    const time = Buffer.from(attributes.get('1.2.840.113549.1.9.5')?.[0]?.content ?? []).toString()
    expect(time).toBe('260601120000Z')
    for (const der of made.chain) expect(Date.parse(new X509Certificate(der).validFrom)).toBeLessThanOrEqual(Date.UTC(2026, 5, 1, 12))
  })

  it('names its certificate in signing-certificate-v2 by SHA-256, issuer and serial number, and the certificate is in the token', async () => {
    const { attributes, certificates } = await granted()
    const id = at(attributes.get('1.2.840.113549.1.9.16.2.47')?.[0], 0, 0)
    const [hash, issuerSerial, more] = id.children()
    const [leaf = new Uint8Array()] = certificates
    expect(more).toBeUndefined()
    // RFC 5035 §4: without an algorithm it is SHA-256.
    expect(hash?.content).toEqual(digestOf('sha256', leaf))
    const tbs = at(parseDer(leaf), 0).children()
    // GeneralNames with one directoryName [4], which is explicit.
    expect(at(issuerSerial, 0, 0).tag).toBe(4)
    expect(at(issuerSerial, 0, 0, 0).raw).toEqual(tbs[3]?.raw)
    expect(at(issuerSerial, 1).raw).toEqual(tbs[1]?.raw)
  })

  it('has no certificates in it where none were asked for, and otherwise all that lead to the root', async () => {
    expect((await granted('sha256', false)).certificates).toEqual([])
    const { certificates } = await granted()
    const chain = certificates.map((der) => new X509Certificate(der))
    const root = new X509Certificate(made.chain.at(-1) ?? new Uint8Array())
    for (const [i, certificate] of chain.entries()) {
      const issuer = chain[i + 1] ?? root
      expect([certificate.checkIssued(issuer), certificate.verify(issuer.publicKey)]).toEqual([true, true])
    }
  })
})

describe('the certificates of a timestamp authority', () => {
  /** Extensions of a certificate: critical or not, and the value. */
  const extensionsOf = (der: Uint8Array) => {
    const list = at(parseDer(der), 0)
      .children()
      .find(({ class: kind, tag }) => kind === 'context' && tag === 3)
    return (list === undefined ? [] : at(list, 0).children()).map((each) => {
      const parts = each.children()
      return { oid: readOid(parts[0]), critical: parts.length === 3, value: parseDer(parts.at(-1)?.content ?? new Uint8Array()) }
    })
  }
  const one = (der: Uint8Array, oid: string) => {
    const found = extensionsOf(der).filter((each) => each.oid === oid)
    expect(found.length).toBeLessThanOrEqual(1)
    return found[0]
  }
  const [basicConstraints, keyUsage, extKeyUsage] = ['2.5.29.19', '2.5.29.15', '2.5.29.37']

  it('end with a root that has signed itself, each issued by the next, none twice', () => {
    const chain = made.chain.map((der) => new X509Certificate(der))
    for (const [i, certificate] of chain.entries()) {
      const issuer = chain[i + 1] ?? certificate
      expect([certificate.checkIssued(issuer), certificate.verify(issuer.publicKey)]).toEqual([true, true])
      expect(certificate.verify(certificate.publicKey)).toBe(issuer === certificate)
    }
  })

  it('begin with one for time stamping alone, critical, which is no authority and only signs', () => {
    const [leaf = new Uint8Array()] = made.chain
    expect(one(leaf, extKeyUsage)).toMatchObject({ critical: true })
    expect(one(leaf, extKeyUsage)?.value.children().map(readOid)).toEqual(['1.3.6.1.5.5.7.3.8'])
    expect(one(leaf, basicConstraints)?.value.children() ?? []).toEqual([])
    // digitalSignature is bit 0 (RFC 5280 §4.2.1.3): 7 unused bits, and nothing else.
    expect(one(leaf, keyUsage)).toMatchObject({ critical: true })
    expect([...(one(leaf, keyUsage)?.value.content ?? [])]).toEqual([7, 0x80])
  })

  it('go on with authorities that may sign certificates, without a path too short for those below', () => {
    for (const der of made.chain.slice(1)) {
      expect(new X509Certificate(der).ca).toBe(true)
      expect(one(der, basicConstraints)).toMatchObject({ critical: true })
      expect(one(der, basicConstraints)?.value.children()).toHaveLength(1)
      // keyCertSign is bit 5.
      expect((one(der, keyUsage)?.value.content[1] ?? 0) & 0x04).toBe(0x04)
    }
  })

  it('have keys and signatures of the sizes that the specification lists: here P-256 and P-384, with SHA-256 and SHA-384', () => {
    const kinds = made.chain.map((der) => {
      const { publicKey } = new X509Certificate(der)
      return [publicKey.asymmetricKeyType, publicKey.asymmetricKeyDetails?.namedCurve, readOid(at(parseDer(der), 1, 0))]
    })
    expect(kinds).toEqual([
      ['ec', 'prime256v1', '1.2.840.10045.4.3.3'],
      ['ec', 'secp384r1', '1.2.840.10045.4.3.3'],
    ])
  })

  it('name no place of revocations: none has to be reached for a chain to be good', () => {
    for (const der of made.chain) expect(extensionsOf(der).map(({ oid }) => oid)).not.toEqual(expect.arrayContaining(['2.5.29.31']))
    for (const der of made.chain) expect(new X509Certificate(der).infoAccess).toBeUndefined()
  })
})
