import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type ContentInfo, SignedData, TSTInfo, TimeStampResp } from 'pkijs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/bytes.ts'
import { encodeTimestampRequest } from '../../src/rfc3161/request.ts'
import { parseTimestampResponse, verifyTimestamp } from '../../src/rfc3161/timestamp.ts'
import { CountersignError } from '../../src/failure.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { hasOpenssl, needsOpenssl, openssl } from '../x509/openssl.ts'
import { newTsa, responseWith, tokenBy } from './stamp.ts'

const primitives = webPrimitives(crypto.subtle)
const message = utf8('the bytes of a signature')

const configuration = `
[tsa]
default_tsa = tsa_config
[tsa_config]
serial = serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:true
[leaf]
extendedKeyUsage = critical,timeStamping
`

describe.skipIf(!hasOpenssl)(`the timestamp authority of OpenSSL ${needsOpenssl}`, () => {
  let folder = ''
  const file = (name: string): string => path.join(folder, name)
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'timestamps-'))
    writeFileSync(file('config'), configuration)
    writeFileSync(file('serial'), '01\n')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** A root and, below it, a TSA with a key of its own, PEM files in the folder. */
  function makeTsa(newKey: readonly string[]): readonly Uint8Array[] {
    const subject = (name: string): string[] => ['-subj', `/O=Test/CN=${name}`]
    const root = ['-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-extensions', 'root']
    openssl(folder, 'req', '-config', 'config', ...root, '-keyout', 'root.key', '-out', 'root.pem', ...subject('root'))
    openssl(folder, 'req', '-config', 'config', '-nodes', ...newKey, '-keyout', 'tsa.key', '-out', 'tsa.csr', ...subject('TSA'))
    const signing = ['-CA', 'root.pem', '-CAkey', 'root.key', '-extfile', 'config', '-extensions', 'leaf', '-days', '30']
    openssl(folder, 'x509', '-req', '-in', 'tsa.csr', ...signing, '-out', 'tsa.pem')
    return ['tsa.pem', 'root.pem'].map((name) => new Uint8Array(new X509Certificate(readFileSync(file(name))).raw))
  }

  function reply(query: Uint8Array, digest = 'sha256'): Uint8Array {
    writeFileSync(file('query'), query)
    openssl(
      folder,
      'ts',
      '-reply',
      '-config',
      'config',
      '-queryfile',
      'query',
      '-signer',
      'tsa.pem',
      '-inkey',
      'tsa.key',
      `-${digest}`,
      '-out',
      'reply',
    )
    return new Uint8Array(readFileSync(file('reply')))
  }

  const request = (hash: 'sha256' | 'sha384' | 'sha512', certReq: boolean): Uint8Array =>
    encodeTimestampRequest({ hash, digest: createHash(hash).update(message).digest(), nonce: Uint8Array.of(0x80, 1), certReq })

  const kinds: readonly (readonly [string, readonly string[], 'sha256' | 'sha384' | 'sha512'])[] = [
    ['P-256', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'], 'sha256'],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'], 'sha384'],
    ['P-521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], 'sha512'],
    ['RSA', ['-newkey', 'rsa:2048'], 'sha512'],
  ]
  it.each(kinds)('makes timestamps that hold, with a key of type %s, and answers our requests', async (_, newKey, hash) => {
    const certificates = makeTsa(newKey)
    const authority = { organization: '', commonName: '', uri: '', certificates, validFor: { start: 0 } }
    for (const certReq of [true, false]) {
      const der = reply(request(hash, certReq), hash)
      const response = parseTimestampResponse(der)
      expect(response.token.info).toMatchObject({
        policy: '1.2.3.4.1',
        imprint: { hash },
        accuracyMs: 1500,
        nonce: Uint8Array.of(0, 0x80, 1),
      })
      const result = await verifyTimestamp({ response, message, authorities: [authority], primitives })
      expect(result).toEqual({ ok: true, timeMs: oracle(der).genTime.getTime(), authority: 'CN=TSA,O=Test', authorityIndex: 0 })
      const other = await verifyTimestamp({ response, message: utf8('x'), authorities: [authority], primitives })
      expect(other).toMatchObject({ ok: false, code: 'timestamp_invalid' })
    }
  })

  it('refuses a request in a way that we report', () => {
    makeTsa(['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    writeFileSync(file('config'), configuration.replace('sha256, sha384, sha512', 'sha512'))
    expect(() => parseTimestampResponse(reply(request('sha256', false)))).toThrow(expect.objectContaining({ code: 'timestamp_malformed' }))
    writeFileSync(file('config'), configuration)
  })

  it('reads the requests that we write', () => {
    writeFileSync(file('query'), request('sha384', true))
    const text = openssl(folder, 'ts', '-query', '-in', 'query', '-text')
    expect(text).toContain('Hash Algorithm: sha384')
    expect(text).toContain('Nonce: 0x8001')
    expect(text).toContain('Certificate required: yes')
  })

  it('verifies the tokens that our tests build', () => {
    const tsa = newTsa()
    writeFileSync(file('built'), responseWith(tokenBy(tsa, { message, genTimeMs: Date.UTC(2026, 5, 1) })))
    writeFileSync(file('message'), message)
    writeFileSync(file('built.pem'), new X509Certificate(tsa.root).toString())
    writeFileSync(file('leaf.pem'), new X509Certificate(tsa.leaf).toString())
    const options = ['-data', 'message', '-in', 'built', '-CAfile', 'built.pem', '-untrusted', 'leaf.pem', '-attime', '1780300000']
    expect(openssl(folder, 'ts', '-verify', ...options)).toContain('Verification: OK')
  })
})

/** The response as pkijs reads it. */
function oracle(der: Uint8Array): TSTInfo {
  const token = TimeStampResp.fromBER(der).timeStampToken as ContentInfo
  const signedData = new SignedData({ schema: token.content })
  return TSTInfo.fromBER(signedData.encapContentInfo.eContent?.getValue() ?? new ArrayBuffer(0))
}

describe('a timestamp request', () => {
  it('is refused when the digest has not the length of its hash', () => {
    const encode = (): Uint8Array => encodeTimestampRequest({ hash: 'sha256', digest: new Uint8Array(31), certReq: false })
    expect(encode).toThrow(CountersignError)
    expect(encode).toThrow(expect.objectContaining({ code: 'digest_malformed' }))
  })

  it('without nonce and certificate is the 56 bytes that cosign sends', () => {
    expect(encodeTimestampRequest({ hash: 'sha256', digest: new Uint8Array(32), certReq: false }).length).toBe(56)
  })
})
