import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Bundle } from '@countersign/core/bundle/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import { bundleMediaType, serializeBundle } from '@countersign/core/bundle/serialize'
import { fromUtf8, utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { refusal } from '../refusal.ts'
import { encoded, envelopeBundle, keyBundle } from './samples.ts'

const bytes = fc.uint8Array({ minLength: 1, maxLength: 80 })
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
const index = fc.nat()
const proof = fc.record({
  logIndex: index,
  rootHash: hash,
  treeSize: index,
  hashes: fc.array(hash, { maxLength: 4 }),
  checkpoint: fc.string({ minLength: 1 }),
})
const logEntry = fc
  .record({ logIndex: index, logId: hash, integratedTime: fc.integer({ min: 1 }), signedEntryTimestamp: bytes, inclusionProof: proof })
  .map((entry) => ({ ...entry, kind: 'dsse', version: '0.0.1', canonicalizedBody: utf8('{"apiVersion":"0.0.1","kind":"dsse"}') }))
const content: fc.Arbitrary<Bundle['content']> = fc.oneof(
  fc.record({ kind: fc.constant('message' as const), signature: bytes }),
  bytes.map((signature) => ({ kind: 'message' as const, claimedDigest: `sha512:${'ab'.repeat(64)}` as Digest, signature })),
  fc
    .record({ payloadType: fc.string({ minLength: 1 }), payload: bytes, sig: bytes })
    .map(({ payload, payloadType, sig }) => ({ kind: 'dsse' as const, envelope: { payloadType, payload, signatures: [{ sig }] } })),
)
const material: fc.Arbitrary<Bundle['material']> = fc.oneof(
  fc.record({ kind: fc.constant('public-key' as const), hint: fc.string({ minLength: 1 }) }),
  fc.constant({ kind: 'public-key' as const }),
  bytes.map((leaf) => ({ kind: 'certificate' as const, chain: [leaf] as const })),
)
const bundle: fc.Arbitrary<Bundle> = fc.record({
  version: fc.constant('0.3' as const),
  mediaType: fc.constant(bundleMediaType),
  material,
  logEntries: fc.uniqueArray(logEntry, { maxLength: 3, selector: (entry) => entry.logIndex }),
  timestamps: fc.uniqueArray(bytes, { maxLength: 3, selector: String }),
  content,
})

describe('serializeBundle', () => {
  it('is undone by parseBundle', () => {
    fc.assert(
      fc.property(bundle, (value) => {
        expect(parseBundle(serializeBundle(value))).toEqual(value)
      }),
    )
  })

  it('writes the fields in the order of the messages, in one line without a newline', () => {
    expect(fromUtf8(serializeBundle(parseBundle(encoded(keyBundle()))))).toBe(JSON.stringify(keyBundle()))
  })

  it('never writes a keyid, which makes cosign refuse the envelope', () => {
    const written = fromUtf8(serializeBundle(parseBundle(encoded(envelopeBundle({ signatures: [{ sig: 'AAAA', keyid: 'k' }] })))))
    expect(written).not.toContain('keyid')
  })

  it('refuses content that no bundle can hold', () => {
    const value: Bundle = {
      ...parseBundle(encoded(keyBundle())),
      content: { kind: 'simple-signing', payload: utf8('{}'), signature: utf8('s') },
    }
    expect(refusal(() => serializeBundle(value))).toBe('not_supported')
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)("cosign's own bundles", () => {
  const samples = join(folder ?? '', 'cosign-3.1.1')
  const files =
    folder === undefined
      ? []
      : ['blob', 'attest-blob', 'images'].flatMap((room) =>
          readdirSync(join(samples, room))
            .map((name) => join(room, name))
            .filter((name) => /(sigstore|bundle-create|ab\.(num|stmt)|unverifiable|io1|sign\.bundle)\S*json$/.test(name)),
        )

  it('are there', () => {
    expect(files.length).toBeGreaterThanOrEqual(13)
  })

  it.each(files)('%s is read and written back byte for byte', (name) => {
    const document = readFileSync(join(samples, name))
    expect(Buffer.from(serializeBundle(parseBundle(document))).toString()).toBe(document.toString())
  })

  it('in registries are read too, whatever the layer', () => {
    for (const room of ['new-bundle-oci11', 'new-bundle-fallback-tag', 'attest-new', 'all-in-one']) {
      const blobs = readdirSync(join(samples, room)).filter((name) => name.startsWith('blob_'))
      const bundles = blobs.map((name) => readFileSync(join(samples, room, name))).filter((blob) => blob.includes('dsseEnvelope'))
      for (const blob of bundles) expect(parseBundle(blob).content.kind).toBe('dsse')
      expect(room === 'new-bundle-oci11' || bundles.length > 0).toBe(true)
    }
  })
})
