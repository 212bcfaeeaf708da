import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import { fallbackTag, legacyTag, mediaTypes, referrerDescriptor } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { failureOf, refusal } from '../refusal.ts'

type Json = Record<string, unknown>
const digest = `sha256:${'ab'.repeat(32)}` as Digest
const descriptor = (change: Json = {}): Json => ({ mediaType: 'application/x', digest, size: 2, ...change })
const manifest = (change: Json = {}): Json => ({
  schemaVersion: 2,
  mediaType: mediaTypes.ociManifest,
  config: descriptor(),
  layers: [descriptor()],
  ...change,
})
const index = (change: Json = {}): Json => ({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [descriptor()], ...change })
const bytes = (value: Json): Uint8Array => utf8(JSON.stringify(value))

describe('parseManifest', () => {
  it('reads manifests and indexes, OCI and Docker, with subject, artifact type and annotations', () => {
    const full = manifest({ subject: descriptor(), artifactType: 'application/y', annotations: { a: 'b' }, unknown: 1 })
    expect(parseManifest(bytes(full), mediaTypes.ociManifest)).toMatchObject({
      kind: 'manifest',
      subject: { digest },
      artifactType: 'application/y',
      annotations: { a: 'b' },
    })
    expect(
      parseManifest(bytes(index({ manifests: [descriptor({ platform: { os: 'linux', architecture: 'arm', variant: 'v7' } })] }))),
    ).toMatchObject({
      kind: 'index',
      manifests: [{ platform: { os: 'linux', architecture: 'arm', variant: 'v7' } }],
    })
    expect(parseManifest(bytes(manifest({ mediaType: mediaTypes.dockerManifest }))).kind).toBe('manifest')
    expect(parseManifest(bytes(index({ mediaType: mediaTypes.dockerManifestList }))).kind).toBe('index')
  })

  it('tells a body without media type by the one outside, and without both by its members', () => {
    expect(parseManifest(bytes(manifest({ mediaType: undefined })), `${mediaTypes.ociManifest}; charset=utf-8`).mediaType).toBe(
      mediaTypes.ociManifest,
    )
    expect(parseManifest(bytes(index({ mediaType: undefined }))).mediaType).toBe(mediaTypes.ociIndex)
  })

  it('takes null for an empty list', () => {
    expect(parseManifest(bytes(index({ manifests: null })))).toMatchObject({ manifests: [] })
  })

  it.each([
    ['attack CVE-2021-41190: a manifest and an index in one', manifest({ manifests: [] }), undefined],
    ['attack: an index with layers', index({ layers: [] }), undefined],
    ['attack: an index that is stored as a manifest', index(), mediaTypes.ociManifest],
    ['attack: a manifest that calls itself an index', manifest({ mediaType: mediaTypes.ociIndex }), mediaTypes.ociIndex],
    [
      'attack: a body of another media type than its Content-Type',
      manifest({ mediaType: mediaTypes.dockerManifest }),
      mediaTypes.ociManifest,
    ],
    ['attack: two lists of layers', undefined, undefined],
    ['schema version 1', manifest({ schemaVersion: 1 }), undefined],
    ['schema version 2 as text', manifest({ schemaVersion: '2' }), undefined],
    ['another media type', manifest({ mediaType: 'application/json' }), undefined],
    ['a manifest without config', manifest({ config: undefined }), undefined],
    ['a descriptor without digest', manifest({ layers: [descriptor({ digest: undefined })] }), undefined],
    ['a digest of an unknown algorithm', manifest({ layers: [descriptor({ digest: `md5:${'0'.repeat(32)}` })] }), undefined],
    ['attack: a digest that is a path', manifest({ layers: [descriptor({ digest: 'sha256:../../etc/passwd' })] }), undefined],
    ['a negative size', manifest({ layers: [descriptor({ size: -1 })] }), undefined],
    ['a size as text', manifest({ layers: [descriptor({ size: '2' })] }), undefined],
    ['a size beyond 2^53', manifest({ layers: [descriptor({ size: 2 ** 60 })] }), undefined],
    ['annotations that are no strings', manifest({ annotations: { a: 1 } }), undefined],
    ['a subject that is no descriptor', manifest({ subject: 'x' }), undefined],
  ])('refuses %s', (_, value, outside) => {
    const document = value === undefined ? utf8(JSON.stringify(manifest()).replace('"layers":', '"layers":[],"layers":')) : bytes(value)
    expect(refusal(() => parseManifest(document, outside))).toBe('manifest_malformed')
  })

  it('refuses manifests of more than 8 MiB', () => {
    expect(failureOf(() => parseManifest(new Uint8Array(8 * 1024 * 1024 + 1)))?.cause).toMatchObject({ code: 'json_too_large' })
  })

  it('refuses mutants with its own code and nothing else', () => {
    const text = JSON.stringify(manifest({ subject: descriptor(), annotations: { a: 'b' } }))
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ unit: 'binary', maxLength: 2 }), (at, replacement) => {
        expect([undefined, 'manifest_malformed']).toContain(
          refusal(() => parseManifest(utf8(text.slice(0, at) + replacement + text.slice(at + 1)))),
        )
      }),
    )
  })
})

describe('the names of the layouts', () => {
  it('are tags made of the digest', () => {
    expect(fallbackTag(digest)).toBe(`sha256-${'ab'.repeat(32)}`)
    expect(fallbackTag(`sha512:${'cd'.repeat(64)}` as Digest)).toBe(`sha512-${'cd'.repeat(32)}`)
    expect(legacyTag(digest, 'sig')).toBe(`sha256-${'ab'.repeat(32)}.sig`)
  })
})

describe('referrerDescriptor', () => {
  const stored = { mediaType: mediaTypes.ociManifest, digest, size: 9 }

  it('has the artifact type and annotations of the manifest', () => {
    const parsed = parseManifest(bytes(manifest({ artifactType: 'application/y', annotations: { a: 'b' } })))
    expect(referrerDescriptor(stored, parsed)).toEqual({ ...stored, artifactType: 'application/y', annotations: { a: 'b' } })
  })

  it('falls back to the media type of the config, which an index has not', () => {
    expect(referrerDescriptor(stored, parseManifest(bytes(manifest())))).toEqual({ ...stored, artifactType: 'application/x' })
    expect(referrerDescriptor(stored, parseManifest(bytes(index())))).toEqual(stored)
  })
})

describe('buildSimpleSigning', () => {
  it('escapes as Go does and sorts the annotations', () => {
    const payload = buildSimpleSigning({ dockerReference: 'r.example/x', digest, annotations: { x: '<a&b>\u2028', b: 'é' } })
    expect(Buffer.from(payload).toString()).toBe(
      `{"critical":{"identity":{"docker-reference":"r.example/x"},"image":{"docker-manifest-digest":"${digest}"},"type":"cosign container image signature"},"optional":{"b":"é","x":"\\u003ca\\u0026b\\u003e\\u2028"}}`,
    )
  })
})

const folder = vectorsFolder()
describe.skipIf(folder === undefined)('manifests in the world', () => {
  const samples = join(folder ?? '', 'cosign-3.1.1')

  it("cosign's manifests are all read", () => {
    const rooms = [
      'all-in-one',
      'attest-legacy',
      'attest-new',
      'legacy-oci11-experimental',
      'legacy-sig',
      'legacy-sig-cert-tsa',
      'new-bundle-fallback-tag',
      'new-bundle-oci11',
    ]
    const names = rooms.flatMap((room) =>
      readdirSync(join(samples, room))
        .filter((name) => name.startsWith('manifest_'))
        .map((name) => join(room, name)),
    )
    for (const name of names) expect(refusal(() => parseManifest(readFileSync(join(samples, name))))).toBeUndefined()
    expect(names.length).toBeGreaterThan(25)
    for (const name of readdirSync(join(folder ?? '', 'cosign-oci'))) {
      expect(refusal(() => parseManifest(readFileSync(join(folder ?? '', 'cosign-oci', name)), mediaTypes.ociManifest))).toBeUndefined()
    }
  })

  it("cosign's payloads are written byte for byte", () => {
    const blobs = readdirSync(join(samples, 'legacy-sig')).map((name) => readFileSync(join(samples, 'legacy-sig', name)).toString())
    const payloads = blobs.filter((blob) => blob.startsWith('{"critical"'))
    for (const payload of payloads) {
      const { critical, optional } = JSON.parse(payload) as {
        critical: { identity: { 'docker-reference': string }; image: { 'docker-manifest-digest': Digest } }
        optional: Record<string, string> | null
      }
      const parts = {
        dockerReference: critical.identity['docker-reference'],
        digest: critical.image['docker-manifest-digest'],
        annotations: optional ?? {},
      }
      expect(Buffer.from(buildSimpleSigning(parts)).toString()).toBe(payload)
    }
    expect(payloads.length).toBe(3)
  })
})
