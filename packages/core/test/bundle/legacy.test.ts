import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesToBase64 } from '@countersign/core/base64'
import {
  isLegacyBundle,
  legacyAnnotation,
  parseLegacyBundle,
  readLegacyLayer,
  serializeLegacyBundle,
} from '@countersign/core/bundle/legacy'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import { parseManifest } from '@countersign/core/oci/manifest'
import { encodePem } from '@countersign/core/pem'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { refusal } from '../refusal.ts'
import { b64, encoded } from './samples.ts'

const publicKeyPem = encodePem('PUBLIC KEY', new Uint8Array(91).fill(4))
const certificatePem = encodePem('CERTIFICATE', new Uint8Array(200).fill(5))
const rekorBundle = {
  SignedEntryTimestamp: b64(71),
  Payload: {
    body: bytesToBase64(utf8('{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}')),
    integratedTime: 1_700_000_000,
    logIndex: 12,
    logID: 'ab'.repeat(32),
  },
}

describe('parseLegacyBundle', () => {
  it('reads the signature of a file, and its log entry', () => {
    const entity = parseLegacyBundle(encoded({ base64Signature: b64(70), cert: bytesToBase64(utf8(certificatePem)), rekorBundle }))
    expect(entity).toMatchObject({
      material: { kind: 'certificate', chain: [new Uint8Array(200).fill(5)] },
      content: { kind: 'message', signature: new Uint8Array(70).fill(7) },
      logEntries: [
        { logIndex: 12, kind: 'hashedrekord', version: '0.0.1', integratedTime: 1_700_000_000, logId: new Uint8Array(32).fill(0xab) },
      ],
      timestamps: [],
    })
  })

  it('attack GHSA-fx35-mq7g-6g98: a public key inside the bundle is dropped, no part of the result contains it', () => {
    const entity = parseLegacyBundle(serializeLegacyBundle(new Uint8Array(70), publicKeyPem))
    expect(entity.material).toEqual({ kind: 'public-key' })
    expect(JSON.stringify(entity, (_, value: unknown) => (value instanceof Uint8Array ? bytesToBase64(value) : value))).not.toContain(
      bytesToBase64(new Uint8Array(90).fill(4)).slice(0, 40),
    )
  })

  it('reads an envelope in place of a signature', () => {
    const envelope = { payload: b64(9), payloadType: 'application/vnd.in-toto+json', signatures: [{ sig: b64(70) }] }
    expect(parseLegacyBundle(encoded({ base64Signature: bytesToBase64(encoded(envelope)), cert: '' })).content.kind).toBe('dsse')
  })

  it('reads a signature that happens to begin like JSON', () => {
    const signature = utf8('{"'.padEnd(256, 'x'))
    expect(parseLegacyBundle(encoded({ base64Signature: bytesToBase64(signature) })).content).toEqual({ kind: 'message', signature })
  })

  it.each([
    ['no signature', {}],
    ['a signature that is not base64', { base64Signature: '!' }],
    ['a cert that is no PEM', { base64Signature: b64(70), cert: b64(5) }],
    ['a private key as cert', { base64Signature: b64(70), cert: bytesToBase64(utf8(encodePem('PRIVATE KEY', utf8('x')))) }],
    ['a key beside a certificate', { base64Signature: b64(70), cert: bytesToBase64(utf8(publicKeyPem + certificatePem)) }],
    [
      'a log entry without its log',
      { base64Signature: b64(70), rekorBundle: { ...rekorBundle, Payload: { ...rekorBundle.Payload, logID: 'xy' } } },
    ],
    ['a log entry without its timestamp', { base64Signature: b64(70), rekorBundle: { Payload: rekorBundle.Payload } }],
    [
      'a negative integrated time',
      { base64Signature: b64(70), rekorBundle: { ...rekorBundle, Payload: { ...rekorBundle.Payload, integratedTime: -1 } } },
    ],
  ])('refuses %s', (_, value) => {
    expect(refusal(() => parseLegacyBundle(encoded(value)))).toBe('bundle_malformed')
  })

  it('refuses mutants with codes of its own and nothing else', () => {
    const text = fromUtf8(encoded({ base64Signature: b64(70), cert: bytesToBase64(utf8(certificatePem)), rekorBundle }))
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, replacement) => {
        const code = refusal(() => parseLegacyBundle(text.slice(0, at) + replacement + text.slice(at + 1)))
        expect([undefined, 'bundle_malformed', 'dsse_malformed']).toContain(code)
      }),
    )
  })
})

describe('readLegacyLayer', () => {
  const blob = utf8('{"critical":{}}')

  it('reads signature, certificate, chain, timestamp and log entry from the annotations', () => {
    const entity = readLegacyLayer({
      kind: 'signature',
      blob,
      annotations: {
        [legacyAnnotation.signature]: b64(70),
        [legacyAnnotation.certificate]: certificatePem,
        [legacyAnnotation.chain]: encodePem('CERTIFICATE', utf8('issuer')),
        [legacyAnnotation.timestamp]: JSON.stringify({ SignedRFC3161Timestamp: b64(30) }),
        [legacyAnnotation.rekorBundle]: JSON.stringify(rekorBundle),
      },
    })
    expect(entity.content).toEqual({ kind: 'simple-signing', payload: blob, signature: new Uint8Array(70).fill(7) })
    expect(entity.material).toMatchObject({ chain: [new Uint8Array(200).fill(5), utf8('issuer')] })
    expect(entity.timestamps).toHaveLength(1)
    expect(entity.logEntries).toHaveLength(1)
  })

  it('refuses a layer without signature, and inherited annotations', () => {
    expect(refusal(() => readLegacyLayer({ kind: 'signature', blob, annotations: {} }))).toBe('bundle_malformed')
    const inherited = Object.create({ [legacyAnnotation.signature]: b64(70) }) as Record<string, string>
    expect(refusal(() => readLegacyLayer({ kind: 'signature', blob, annotations: inherited }))).toBe('bundle_malformed')
  })

  it('refuses an attestation that is no envelope', () => {
    expect(refusal(() => readLegacyLayer({ kind: 'attestation', blob, annotations: {} }))).toBe('dsse_malformed')
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)("cosign's own legacy signatures", () => {
  const samples = join(folder ?? '', 'cosign-3.1.1')

  it.each(['blob/b.legacy-bundle.json', 'blob/evil.old.json', 'attest-blob/ab.old.json'])('%s is read, its key is not', (name) => {
    const document = readFileSync(join(samples, name))
    expect(isLegacyBundle(document)).toBe(true)
    expect(parseLegacyBundle(document)).toMatchObject({
      material: { kind: 'public-key' },
      content: { kind: name.startsWith('blob') ? 'message' : 'dsse' },
    })
  })

  it('are told from Sigstore bundles', () => {
    expect(isLegacyBundle(readFileSync(join(samples, 'blob/b.sigstore.json')))).toBe(false)
  })

  it('is written back byte for byte', () => {
    const document = readFileSync(join(samples, 'blob/b.legacy-bundle.json'))
    const { content } = parseLegacyBundle(document)
    const cert = Buffer.from((JSON.parse(document.toString()) as { cert: string }).cert, 'base64').toString()
    expect(content.kind === 'message' && fromUtf8(serializeLegacyBundle(content.signature, cert))).toBe(document.toString())
  })

  it.each(['legacy-sig', 'legacy-sig-cert-tsa', 'attest-legacy', 'legacy-oci11-experimental', 'all-in-one'])(
    'every layer of %s is read',
    (room) => {
      let layers = 0
      for (const name of readdirSync(join(samples, room)).filter((file) => file.startsWith('manifest_'))) {
        const manifest = parseManifest(readFileSync(join(samples, room, name)))
        for (const layer of manifest.kind === 'manifest' ? manifest.layers : []) {
          const kind = layer.mediaType.includes('simplesigning')
            ? 'signature'
            : layer.mediaType.includes('dsse.envelope')
              ? 'attestation'
              : undefined
          if (kind === undefined) continue
          const blob = readFileSync(join(samples, room, `blob_${layer.digest.replace(':', '_')}`))
          const entity = readLegacyLayer({ kind, blob, annotations: layer.annotations ?? {} })
          expect(entity.timestamps).toHaveLength(room === 'legacy-sig-cert-tsa' ? 1 : 0)
          expect(entity.material.kind).toBe(room === 'legacy-sig-cert-tsa' ? 'certificate' : 'public-key')
          layers++
        }
      }
      expect(layers).toBeGreaterThan(0)
    },
  )
})
