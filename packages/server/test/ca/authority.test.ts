import { X509Certificate } from 'node:crypto'
import { beforeEach, afterEach, describe, expect, it } from 'vitest'
import { decodePem } from '@countersign/core/pem'
import { buildCertificate } from '@countersign/core/x509/build'
import { intermediateFields, rootFields, timestampFields } from '@countersign/core/x509/build-authority'
import { encodeName } from '@countersign/core/x509/build-name'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { parseCertificateRequest } from '@countersign/core/x509/certificate-request'
import { importedKey, memoryKeys } from '@countersign/testkit/memory-keys'
import { serverPrimitives } from '../../src/base/crypto/primitives.ts'
import { chainPem } from '../../src/ca/authority/chain.ts'
import {
  createIntermediate,
  createRoot,
  importIntermediate,
  requestIntermediate,
  rootCertificate,
  signRequested,
} from '../../src/ca/authority/create.ts'
import { openAuthorities } from '../../src/ca/authority/issuing.ts'
import { startProvider, type Provider } from './identity-provider.ts'
import { startCa, type CaPlatform } from './platform.ts'
import { rejection } from './refusals.ts'
import { newClientKey, post, wishV2 } from './signer.ts'

const email = 'ann@example.com'
const claims = { sub: 's', email, email_verified: true }

describe('the authorities of an installation', () => {
  let now = Date.now()
  let provider: Provider
  let ca: CaPlatform

  beforeEach(async () => {
    now = Date.now()
    provider = await startProvider()
    ca = await startCa({ issuers: { 'oidc-issuers': { [provider.url]: { 'client-id': 'sigstore', type: 'email' } } }, now: () => now })
  })
  afterEach(async () => {
    await ca.close()
    await provider.close()
  })

  const issuerOf = async (): Promise<string> => {
    const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
    const intermediate = new X509Certificate(answer.chain[1] ?? '')
    expect(new X509Certificate(answer.chain[0] ?? '').verify(intermediate.publicKey)).toBe(true)
    expect(intermediate.verify(new X509Certificate(answer.chain[2] ?? '').publicKey)).toBe(true)
    return intermediate.fingerprint256
  }
  const rows = async () => (await ca.workshop.table.list()).map(({ name, status }) => `${name} ${status}`)

  it('are a root on P-384 without limits and an intermediate on P-256 for code signing, below which is nothing', async () => {
    const { chain } = (await ca.workshop.table.list()).find(({ role }) => role === 'intermediate') ?? { chain: '' }
    const [intermediate, root] = decodePem(chain).map(({ bytes }) => parseCertificate(bytes))
    expect(root?.basicConstraints).toEqual({ ca: true })
    expect(root?.extKeyUsage).toBeUndefined()
    expect(intermediate?.basicConstraints).toEqual({ ca: true, pathLength: 0 })
    expect(intermediate?.extKeyUsage).toEqual(['1.3.6.1.5.5.7.3.3'])
    expect(intermediate?.authorityKeyId?.keyId).toEqual(root?.subjectKeyId)
  })

  it('rotate while clients go on: on standby first, then active, and the one before stays in the bundle', async () => {
    const before = await issuerOf()
    const { name } = await createIntermediate(ca.workshop, await ca.keys.open('ca-root'))
    expect(name).toBe('ca-intermediate-2')
    now += 5_000
    expect(await issuerOf()).toBe(before)
    const bundle = await ca.authorities.bundle()
    expect(bundle).toHaveLength(2)
    await ca.workshop.table.activate(name)
    now += 5_000
    expect(await issuerOf()).not.toBe(before)
    expect(await rows()).toEqual(expect.arrayContaining(['ca-intermediate-1 retired', 'ca-intermediate-2 active', 'ca-root active']))
    expect(await ca.authorities.bundle()).toHaveLength(2)
  })

  it('issue nothing that would outlive them: a chain that ends first makes a certificate that no verifier takes', async () => {
    const [intermediate] = ((await ca.authorities.bundle())[0] ?? []).map((pem) => new X509Certificate(pem))
    now = Date.parse(intermediate?.validTo ?? '') - 11 * 60_000
    const ask = async () => post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(tokenUntil(now + 60_000), newClientKey(), email))
    const tokenUntil = (endMs: number): string => provider.token({ ...claims, iat: Math.floor(now / 1000), exp: Math.floor(endMs / 1000) })
    expect((await ask()).status).toBe(200)
    const { size } = await ca.ct.tree.checkpoint()
    now += 2 * 60_000
    expect((await ask()).status).toBe(500)
    expect((await ca.ct.tree.checkpoint()).size).toBe(size)
  })

  it('issue without the root, which can be exported, removed, and brought back to sign an intermediate', async () => {
    const exported = await ca.keys.exportPrivateKey('ca-root')
    await ca.keys.remove('ca-root')
    await issuerOf()
    expect(await rejection(ca.keys.open('ca-root'))).toBe('key_missing')
    expect((await createIntermediate(ca.workshop, importedKey('ca-root', exported))).name).toBe('ca-intermediate-2')
  })

  it('are never made twice, and never by the key of another root', async () => {
    expect(await rejection(createRoot(ca.workshop))).toBe('key_exists')
    const other = await memoryKeys().create('ca-root', 'ec-p384')
    expect(await rejection(createIntermediate(ca.workshop, other))).toBe('key_mismatch')
  })

  it('take the key of the root that a crash left without a record', async () => {
    const keys = memoryKeys()
    await keys.create('ca-root', 'ec-p384')
    const rows: unknown[] = []
    const table = { ...ca.workshop.table, list: async () => [], add: async (row: unknown) => void rows.push(row) }
    await createRoot({ ...ca.workshop, keys, table })
    expect(rows).toHaveLength(1)
  })

  it('that are not active, or not there, cannot be activated', async () => {
    expect(await rejection(ca.workshop.table.activate('ca-root'))).toBe('authority_missing')
    expect(await rejection(ca.workshop.table.activate('ca-intermediate-9'))).toBe('authority_missing')
    const { name } = await requestIntermediate(ca.workshop)
    expect(await rejection(ca.workshop.table.activate(name))).toBe('authority_missing')
    expect(await rows()).toContain('ca-intermediate-1 active')
  })

  it('are missing where none was made, and damaged where record and key differ', async () => {
    const table = { ...ca.workshop.table, list: async () => [] }
    expect(await rejection(rootCertificate({ table }))).toBe('authority_missing')
    expect(await rejection(openAuthorities({ table, keys: ca.keys, now: () => now }).issuing())).toBe('authority_missing')
    const strange = memoryKeys()
    await strange.create('ca-intermediate-1', 'ec-p256')
    expect(await rejection(openAuthorities({ table: ca.workshop.table, keys: strange, now: () => now }).issuing())).toBe(
      'authority_damaged',
    )
  })

  it('are signed where the root is kept, as the installation asked, and not when another key asked or signs', async () => {
    const { name, request } = await requestIntermediate(ca.workshop)
    const [der = new Uint8Array()] = decodePem(request).map(({ bytes }) => bytes)
    const root = { certificate: await rootCertificate(ca.workshop), key: await ca.keys.open('ca-root') }
    const chain = await signRequested(root, der, ca.workshop)
    await importIntermediate(ca.workshop, name, chain)
    await ca.workshop.table.activate(name)
    now += 5_000
    await issuerOf()
    const [intermediate] = decodePem(chain).map(({ bytes }) => parseCertificate(bytes))
    expect(intermediate).toMatchObject({ basicConstraints: { ca: true, pathLength: 0 }, extKeyUsage: ['1.3.6.1.5.5.7.3.3'] })
    const forged = der.with(der.length - 1, (der.at(-1) ?? 0) ^ 1)
    expect(await rejection(signRequested(root, forged, ca.workshop))).toBe('certificate_request_malformed')
    const stranger = { ...root, key: await memoryKeys().create('ca-root', 'ec-p384') }
    expect(await rejection(signRequested(stranger, der, ca.workshop))).toBe('key_mismatch')
  })

  describe('signed by a root elsewhere', () => {
    const elsewhere = memoryKeys()
    const validity = () => ({ notBeforeMs: now - 1000, notAfterMs: now + 86_400_000 })
    const rootSubject = encodeName({ commonName: 'Corporate Root' })

    async function corporate(
      name: string,
      request: string,
      make: typeof intermediateFields | typeof timestampFields = intermediateFields,
    ): Promise<string> {
      const rootKey = await elsewhere.create(name, 'ec-p384')
      const root = await buildCertificate(
        await rootFields(serverPrimitives, { serial: Uint8Array.of(1), subject: rootSubject, key: rootKey.publicKey, ...validity() }),
        rootKey,
      )
      const read = parseCertificateRequest(decodePem(request)[0]?.bytes ?? new Uint8Array())
      const issuer = { name: rootSubject, keyId: parseCertificate(root).subjectKeyId ?? new Uint8Array() }
      const fields = await make(
        serverPrimitives,
        { serial: Uint8Array.of(2), subject: read.subject.raw, key: read.key, ...validity() },
        issuer,
      )
      return chainPem([await buildCertificate(fields, rootKey), root])
    }

    it('go from request to certificate to issuing', async () => {
      const { name, request } = await requestIntermediate(ca.workshop)
      await importIntermediate(ca.workshop, name, await corporate('a', request))
      await ca.workshop.table.activate(name)
      now += 5_000
      await issuerOf()
      const answer = await post(`${ca.url}/fulcio/api/v2/signingCert`, wishV2(provider.token(claims), newClientKey(), email))
      expect(new X509Certificate(answer.chain[2] ?? '').subject).toBe('CN=Corporate Root')
    })

    it.each([
      ['a purpose, with which it would be good for anything', 2],
      ['a name of its key, by which certificates below it would name it', 3],
    ])('are refused without %s', async (_, left) => {
      const { name, request } = await requestIntermediate(ca.workshop)
      const without: typeof intermediateFields = async (...wish) => {
        const fields = await intermediateFields(...wish)
        return { ...fields, extensions: fields.extensions.filter((__, i) => i !== left) }
      }
      expect(await rejection(importIntermediate(ca.workshop, name, await corporate(`without ${left}`, request, without)))).toBe(
        'certificate_unsuitable',
      )
    })

    it('are refused when the certificate is for another key, another purpose, too short a chain, or under another root', async () => {
      const { name, request } = await requestIntermediate(ca.workshop)
      const other = await requestIntermediate(ca.workshop)
      const good = await corporate('b', request)
      expect(await rejection(importIntermediate(ca.workshop, other.name, good))).toBe('key_mismatch')
      expect(await rejection(importIntermediate(ca.workshop, name, await corporate('c', request, timestampFields)))).toBe(
        'certificate_unsuitable',
      )
      const [own] = decodePem(good)
      const [, strangeRoot] = decodePem(await corporate('d', request))
      expect(await rejection(importIntermediate(ca.workshop, name, chainPem([own?.bytes ?? new Uint8Array()])))).toBe(
        'certificate_unsuitable',
      )
      const mixed = chainPem([own?.bytes ?? new Uint8Array(), strangeRoot?.bytes ?? new Uint8Array()])
      expect(await rejection(importIntermediate(ca.workshop, name, mixed))).toBe('certificate_untrusted')
      now += 2 * 86_400_000
      expect(await rejection(importIntermediate(ca.workshop, name, good))).toBe('certificate_expired')
      expect(await rejection(importIntermediate(ca.workshop, 'ca-intermediate-1', good))).toBe('authority_missing')
    })
  })
})
