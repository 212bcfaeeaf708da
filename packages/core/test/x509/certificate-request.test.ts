import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { afterAll, describe, expect, it } from 'vitest'
import { decodePem, encodePem } from '../../src/pem.ts'
import { encodeName } from '../../src/x509/build-name.ts'
import { buildCertificateRequest, parseCertificateRequest, verifyCertificateRequest } from '../../src/x509/certificate-request.ts'
import { refusal } from '../refusal.ts'
import { newPair } from './keys.ts'
import { hasOpenssl, needsOpenssl, openssl } from './openssl.ts'

describe('certification requests', () => {
  const pair = newPair('P-256')
  const subject = encodeName({ commonName: 'Example Intermediate' })

  it('are read back as written, under a signature that holds', async () => {
    const request = parseCertificateRequest(await buildCertificateRequest(subject, pair.key, pair.signer))
    expect(request.subject.text).toBe('CN=Example Intermediate')
    expect(request.key.spki).toEqual(pair.key.spki)
    expect(await verifyCertificateRequest(nodePrimitives, request)).toBe(true)
  })

  it('do not hold when another key signed them: an attacker who asks for a certificate for a key that he does not have', async () => {
    const stranger = newPair('P-256')
    const request = parseCertificateRequest(await buildCertificateRequest(subject, pair.key, stranger.signer))
    expect(await verifyCertificateRequest(nodePrimitives, request)).toBe(false)
  })

  it('are refused with bytes after the end, or cut', async () => {
    const der = await buildCertificateRequest(subject, pair.key, pair.signer)
    expect(refusal(() => parseCertificateRequest(Uint8Array.of(...der, 0)))).toBe('certificate_request_malformed')
    expect(refusal(() => parseCertificateRequest(der.subarray(0, -1)))).toBe('certificate_request_malformed')
  })

  describe.skipIf(!hasOpenssl)(`with openssl ${needsOpenssl}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'request-'))
    afterAll(() => rmSync(folder, { recursive: true }))

    it('verify there, and its own hold here', async () => {
      writeFileSync(
        join(folder, 'ours.pem'),
        encodePem('CERTIFICATE REQUEST', await buildCertificateRequest(subject, pair.key, pair.signer)),
      )
      expect(openssl(folder, 'req', '-in', 'ours.pem', '-verify', '-noout', '-subject')).toContain('Example Intermediate')
      openssl(
        folder,
        'req',
        '-new',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-keyout',
        'key.pem',
        '-subj',
        '/CN=x',
        '-addext',
        'subjectAltName=email:x@example.com',
        '-out',
        'theirs.pem',
      )
      const [block] = decodePem(readFileSync(join(folder, 'theirs.pem'), 'utf8'))
      const request = parseCertificateRequest(block?.bytes ?? new Uint8Array())
      expect(await verifyCertificateRequest(nodePrimitives, request)).toBe(true)
    })
  })
})
