import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FulcioSigner } from '@sigstore/sign'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bytesToHex, concatBytes } from '@countersign/core/bytes'
import { verifyInclusion } from '@countersign/core/merkle/proof'
import { hashLeaf } from '@countersign/core/merkle/tree'
import { verifyCtCheckpoint } from '@countersign/core/note/ct-checkpoint'
import { decodePem } from '@countersign/core/pem'
import { parseCertificate, type Certificate } from '@countersign/core/x509/certificate'
import { merkleLeafPrefix, parseDataTile } from '@countersign/core/x509/ct-leaf'
import { fulcioIdentity } from '@countersign/core/x509/fulcio'
import { embeddedScts, precertificateTbs, verifyScts } from '@countersign/core/x509/sct'
import { leafIndexOf } from '@countersign/core/x509/sct-encode'
import { readAudit } from '../../src/base/audit/read-audit.ts'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { startProvider, type Provider } from './identity-provider.ts'
import { ctOriginName, startCa, type CaPlatform } from './platform.ts'
import { newClientKey, pemOf, post, wishV2, type ClientKeyType } from './signer.ts'

const email = 'ann@example.com'
const claims = { sub: 'user-1', email, email_verified: true }

function certificateOf(pem: string | undefined): Certificate {
  return parseCertificate(decodePem(pem ?? '')[0]?.bytes ?? new Uint8Array())
}

it('a certificate authority gives no certificate away before its log has published it', async () => {
  const gate = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const provider = await startProvider()
  const ca = await startCa({
    issuers: { 'oidc-issuers': { [provider.url]: { 'client-id': 'sigstore', type: 'email' } } },
    log: (log) => ({
      publish: async (precertificate) => {
        reached.resolve()
        await gate.promise
        return log.publish(precertificate)
      },
    }),
  })
  let answered = false
  const url = `${ca.url}/fulcio/api/v2/signingCert`
  const answer = post(url, wishV2(provider.token(claims), newClientKey(), email)).finally(() => (answered = true))
  await reached.promise
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(answered).toBe(false)
  gate.resolve()
  expect((await answer).chain).toHaveLength(3)
  await ca.close()
  await provider.close()
})

describe('the certificate authority over HTTP', () => {
  let provider: Provider
  let ca: CaPlatform

  beforeAll(async () => {
    provider = await startProvider()
    ca = await startCa({
      issuers: { 'oidc-issuers': { [provider.url]: { 'issuer-url': provider.url, 'client-id': 'sigstore', type: 'email' } } },
    })
  })
  afterAll(async () => {
    await ca.close()
    await provider.close()
  })

  it('gives @sigstore/sign a certificate for the identity in its token', async () => {
    const signer = new FulcioSigner({
      fulcioBaseURL: `${ca.url}/fulcio`,
      identityProvider: { getToken: async () => provider.token(claims) },
    })
    const { key } = await signer.sign(Buffer.from('artifact'))
    const pem = key.$case === 'x509Certificate' ? key.certificate : ''
    expect(fulcioIdentity(certificateOf(pem))).toMatchObject({ issuer: provider.url, subject: email, subjectKind: 'email' })
  })

  it('answers version 2 with 200 and the chain: certificate, intermediate, root, each signed by the next', async () => {
    const key = newClientKey()
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), key, email))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    const [leaf, intermediate, root, more] = answer.chain.map((pem) => new X509Certificate(pem))
    expect(more).toBeUndefined()
    expect(leaf?.verify(intermediate?.publicKey as never)).toBe(true)
    expect(intermediate?.verify(root?.publicKey as never)).toBe(true)
    expect(root?.verify(root.publicKey)).toBe(true)
    expect(leaf?.publicKey.export({ type: 'spki', format: 'pem' })).toBe(pemOf(key))
    expect(root?.publicKey.asymmetricKeyDetails?.namedCurve).toBe('secp384r1')
    expect(intermediate?.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
  })

  it('answers version 1 with 201 and PEM, the token in the header', async () => {
    const key = newClientKey()
    const body = {
      publicKey: { content: key.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'), algorithm: 'ecdsa' },
      signedEmailAddress: key.prove(email).toString('base64'),
      certificateSigningRequest: null,
    }
    const answer = await post(`${ca.url}/fulcio/api/v1/signingCert`, body, { authorization: `Bearer ${provider.token(claims)}` })
    expect(answer.status).toBe(201)
    expect(answer.headers.get('content-type')).toBe('application/pem-certificate-chain')
    expect(answer.chain).toHaveLength(3)
  })

  it('takes the token from the header in version 2 as well', async () => {
    const body = wishV2(undefined, newClientKey(), email)
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, body, { authorization: `Bearer ${provider.token(claims)}` })
    expect(answer.status).toBe(200)
  })

  it.each<ClientKeyType>(['P-256', 'P-384', 'P-521', 'rsa-2048', 'ed25519'])('certifies keys of %s', async (type) => {
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(type), email))
    expect(answer.status).toBe(200)
  })

  it('writes the profile exactly: ten minutes, empty subject, one use, one purpose, identifiers, timestamp of the log last', async () => {
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
    const leaf = certificateOf(answer.chain[0])
    expect(leaf.notAfterMs - leaf.notBeforeMs).toBe(600_000)
    expect(leaf.subject.text).toBe('')
    expect(leaf.serial).toHaveLength(20)
    expect(leaf.authorityKeyId?.keyId).toEqual(certificateOf(answer.chain[1]).subjectKeyId)
    expect([...leaf.extensions.keys()].at(-1)).toBe('1.3.6.1.4.1.11129.2.4.2')
    expect(leaf.unsupportedCritical).toEqual([])
  })

  it('has each certificate in the log before the answer leaves, where anybody can read it and prove that it is there', async () => {
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
    const leaf = certificateOf(answer.chain[0])
    const issuer = certificateOf(answer.chain[1])
    const [sct] = embeddedScts(leaf)
    const index = leafIndexOf(sct?.extensions ?? new Uint8Array()) ?? -1
    const note = await (await fetch(`${ca.url}/ct/checkpoint`)).text()
    const { publicKey, algorithm } = ca.ct.key
    const checkpoint = await verifyCtCheckpoint(serverPrimitives, note, { origin: ctOriginName, publicKey, algorithm })
    expect(checkpoint.size).toBeGreaterThan(index)
    expect(checkpoint.timestampMs).toBeGreaterThanOrEqual(sct?.timestampMs ?? Infinity)
    const tile = await fetch(`${ca.url}/ct/tile/data/000.p/${checkpoint.size}`)
    expect(tile.headers.get('content-type')).toBe('application/octet-stream')
    const entry = parseDataTile(new Uint8Array(await tile.arrayBuffer()))[index]
    expect(entry?.entry).toMatchObject({ index, timestampMs: sct?.timestampMs })
    expect(entry?.entry.signed).toMatchObject({ kind: 'precertificate', tbs: precertificateTbs(leaf) })
    const logged = hashLeaf(
      serverPrimitives,
      concatBytes(merkleLeafPrefix, (entry?.bytes ?? new Uint8Array()).subarray(0, entry?.entryBytes)),
    )
    const proof = await ca.ct.tree.entry(index)
    const claim = { leaf: logged, index, treeSize: proof?.checkpoint.size ?? 0, hashes: proof?.hashes ?? [] }
    expect(await verifyInclusion(serverPrimitives, claim, proof?.checkpoint.rootHash ?? new Uint8Array())).toBe(true)
    const fingerprint = bytesToHex(entry?.entry.chain[0] ?? new Uint8Array())
    const served = await fetch(`${ca.url}/ct/issuer/${fingerprint}`)
    expect(served.headers.get('content-type')).toBe('application/pkix-cert')
    expect(new Uint8Array(await served.arrayBuffer())).toEqual(issuer.raw)
  })

  it('embeds a timestamp that verifies under the key of the log', async () => {
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
    const { publicKey, algorithm } = ca.ct.key
    const log = {
      baseUrl: `${ca.url}/ct`,
      hashAlgorithm: 'sha256',
      logId: ca.ct.log.logId,
      publicKey,
      algorithm: algorithm.name,
      validFor: { start: 0 },
    } as const
    const leaf = certificateOf(answer.chain[0])
    const results = await verifyScts({ leaf, issuerSpki: certificateOf(answer.chain[1]).spki, ctLogs: [log], primitives: serverPrimitives })
    expect(results).toEqual([expect.objectContaining({ ok: true })])
    expect(ca.ct.log.logId).toEqual(new Uint8Array(createHash('sha256').update(publicKey.spki).digest()))
  })

  it('serves its chains and its configuration', async () => {
    const bundle = (await (await fetch(`${ca.url}/fulcio/api/v2/trustBundle`)).json()) as { chains: { certificates: string[] }[] }
    expect(bundle.chains.map(({ certificates }) => certificates.length)).toEqual([2])
    const roots = await (await fetch(`${ca.url}/fulcio/api/v1/rootCert`)).text()
    expect(roots.trim()).toBe(
      bundle.chains
        .flatMap(({ certificates }) => certificates)
        .join('')
        .trim(),
    )
    const configuration = await (await fetch(`${ca.url}/fulcio/api/v2/configuration`)).json()
    expect(configuration).toEqual({
      issuers: [{ issuerUrl: provider.url, audience: 'sigstore', challengeClaim: 'email', issuerType: 'email' }],
    })
  })

  it('records every certificate in the audit log, and no part of a token in any log', async () => {
    const token = provider.token(claims)
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(token, newClientKey(), email))
    const serial = bytesToHex(certificateOf(answer.chain[0]).serial)
    const records = await readAudit(ca.database)
    const record = records.find(({ subject }) => subject === serial)
    expect(record).toMatchObject({
      action: 'ca.certificate_issued',
      actor: email,
      outcome: 'done',
      detail: { issuer: provider.url, key: 'ec-p256' },
    })
    const [header, payload, signature] = token.split('.')
    const everything = JSON.stringify(records) + ca.logLines.join('')
    for (const part of [header, payload, signature]) expect(everything.includes(part ?? '')).toBe(false)
  })

  const program = 'openssl'
  const hasOpenssl = spawnSync(program, ['version'], { stdio: 'ignore' }).status === 0
  describe.skipIf(!hasOpenssl)('with openssl (skipped where there is no openssl command)', () => {
    const folder = mkdtempSync(join(tmpdir(), 'issuance-'))
    afterAll(() => rmSync(folder, { recursive: true }))

    it('takes a certification request, whose names it does not believe', async () => {
      execFileSync(
        program,
        [
          'req',
          '-new',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-keyout',
          'k.pem',
          '-subj',
          '/CN=root',
          '-addext',
          'subjectAltName=email:admin@example.com',
          '-out',
          'r.pem',
        ],
        { cwd: folder, stdio: 'ignore' },
      )
      const body = {
        credentials: { oidcIdentityToken: provider.token(claims) },
        certificateSigningRequest: readFileSync(join(folder, 'r.pem')).toString('base64'),
      }
      const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, body)
      expect(answer.status).toBe(200)
      expect(certificateOf(answer.chain[0]).alternativeNames).toEqual([{ kind: 'email', value: email }])
    })

    it('gives a chain that openssl verifies', async () => {
      const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
      const [leaf, intermediate, root] = answer.chain
      writeFileSync(join(folder, 'leaf.pem'), leaf ?? '')
      writeFileSync(join(folder, 'intermediate.pem'), intermediate ?? '')
      writeFileSync(join(folder, 'root.pem'), root ?? '')
      const options = ['verify', '-x509_strict', '-purpose', 'any', '-CAfile', 'root.pem', '-untrusted', 'intermediate.pem', 'leaf.pem']
      expect(execFileSync(program, options, { cwd: folder }).toString()).toContain('leaf.pem: OK')
    })
  })
})
