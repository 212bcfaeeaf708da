import { utf8 } from '@countersign/core/bytes'
import type { Digest } from '@countersign/core/digest'
import type { Descriptor } from '@countersign/core/oci/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import { bundleAround } from '@countersign/sdk/doctor/bundle-around'
import { migrateSignatures, planMigration } from '@countersign/sdk/doctor/migrate'
import type { Repository } from '@countersign/sdk/registry/repository'
import type { Signer } from '@countersign/sdk/sign/signer'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { faultyRepository } from '@countersign/testkit/faulty-repository'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { describe, expect, it } from 'vitest'
import { issue, nameOf, newKey } from '../../../core/test/x509/issue.ts'
import { attest, image, nowMs, type SickImage, sickImage } from './sick-image.ts'

const migrate = async (sick: SickImage, removeLegacy = false, through: Repository = sick.repository) =>
  migrateSignatures(through, await planMigration(sick.repository, sick.subject), { nowMs, removeLegacy })

/** The layouts in which attestations of a signer verify. */
const layoutsOf = async ({ repository }: SickImage, signer: Signer): Promise<readonly string[]> => {
  const policy = keyPolicy([signer], { kind: 'attestation' })
  const { accepted } = await verifyImageIn({ images: repository, signatures: repository }, { image, policy, nowMs })
  return accepted.flatMap(({ origin }) => origin.layouts).toSorted()
}

const legacyAttested = async (options = {}): Promise<[SickImage, Signer]> => {
  const sick = await sickImage([], options)
  const signer = testSigner()
  await attest(sick, 'legacy', signer)
  return [sick, signer]
}

describe('a legacy attestation', () => {
  it.each([
    [false, 'bundle-fallback-tag'],
    [true, 'bundle-referrer'],
  ])('gets a bundle around the same signature, which verifies (referrers API: %s)', async (referrersApi, layout) => {
    const [sick, signer] = await legacyAttested({ referrersApi })
    const { written } = await migrate(sick)
    expect(written).toHaveLength(1)
    expect(await layoutsOf(sick, signer)).toEqual(expect.arrayContaining([layout, 'legacy-tag']))
  })

  it('is migrated once, however often it is asked for', async () => {
    const [sick] = await legacyAttested()
    await migrate(sick)
    expect((await migrate(sick)).written).toEqual([])
  })

  it('leaves its tag only when asked to, and when all of it is in bundles', async () => {
    const [sick, signer] = await legacyAttested()
    expect((await migrate(sick)).removed).toEqual([])
    expect((await migrate(sick, true)).removed).toContain(`${sick.tag}.att`)
    expect(await layoutsOf(sick, signer)).toEqual(['bundle-fallback-tag'])
  })

  it('keeps the tag beside something that is no attestation', async () => {
    const [sick] = await legacyAttested()
    const stored = sick.repository.manifests.get(sick.repository.tagged.get(`${sick.tag}.att`) as Digest)
    const manifest = JSON.parse(Buffer.from(stored?.bytes ?? []).toString()) as { layers: Descriptor[] }
    const note = await sick.repository.putBlob(utf8('a note'))
    sick.put(
      `${sick.tag}.att`,
      { ...manifest, layers: [...manifest.layers, { mediaType: 'text/plain', digest: note, size: 6 }] },
      stored?.mediaType,
    )
    expect((await migrate(sick, true)).removed).not.toContain(`${sick.tag}.att`)
    expect(sick.repository.tagged.has(`${sick.tag}.att`)).toBe(true)
  })

  it('that dies at any write is lost in no layout, and the next run completes it', async () => {
    const [measured] = await legacyAttested()
    const healthy = faultyRepository(measured.repository, { write: Infinity, when: 'before' })
    await migrate(measured, true, healthy.repository)
    expect(healthy.writes()).toBeGreaterThan(3)
    for (let write = 1; write <= healthy.writes(); write++) {
      for (const when of ['before', 'after'] as const) {
        const [sick, signer] = await legacyAttested()
        await migrate(sick, true, faultyRepository(sick.repository, { write, when }).repository).catch(() => undefined)
        expect((await layoutsOf(sick, signer)).length).toBeGreaterThan(0)
        await migrate(sick, true)
        expect(await layoutsOf(sick, signer)).toEqual(expect.arrayContaining(['bundle-fallback-tag']))
      }
    }
  })
})

describe('a tag that is removed', () => {
  it('is not one that somebody has written meanwhile', async () => {
    const [sick] = await legacyAttested()
    await migrate(sick)
    const other = sick.put('other', { schemaVersion: 2, config: {}, layers: [] })
    const moved: Repository = {
      ...sick.repository,
      // Between the examination and the removal another attestation was added.
      resolve: (reference) => {
        if ('tag' in reference && reference.tag === `${sick.tag}.att`) sick.repository.tagged.set(reference.tag, other)
        return sick.repository.resolve(reference)
      },
    }
    expect((await migrate(sick, true, moved)).removed).not.toContain(`${sick.tag}.att`)
    expect(sick.repository.tagged.get(`${sick.tag}.att`)).toBe(other)
  })

  it('may be the fallback index, where the registry lists all that is in it, and only then', async () => {
    const sick = await sickImage(['bundle', 'bundle'])
    const [first, second] = sick.index().manifests
    const listing = (manifests: readonly (Descriptor | undefined)[]): SickImage => {
      const listed = manifests.filter((one) => one !== undefined)
      return { ...sick, repository: { ...sick.repository, referrers: () => Promise.resolve({ kind: 'listed', manifests: listed }) } }
    }
    const partly = listing([first])
    await expect(migrate(partly, true, partly.repository)).rejects.toMatchObject({ code: 'write_not_confirmed' })
    expect(sick.repository.tagged.has(sick.tag)).toBe(true)
    const wholly = listing([first, second])
    expect((await migrate(wholly, false, wholly.repository)).removed).toEqual([])
    expect((await migrate(wholly, true, wholly.repository)).removed).toEqual([sick.tag])
  })

  it('is not an index that lists something else too', async () => {
    const sick = await sickImage(['bundle'])
    const own = sick.index().manifests
    const foreign = { mediaType: own[0]?.mediaType ?? '', digest: sick.subject.digest, size: sick.subject.size }
    sick.put(sick.tag, { ...sick.index(), manifests: [...own, foreign] })
    const repository: Repository = { ...sick.repository, referrers: () => Promise.resolve({ kind: 'listed', manifests: own }) }
    expect((await migrate({ ...sick, repository: { ...sick.repository, ...repository } }, true, repository)).removed).toEqual([])
  })

  it('is not one whose attestation has more than a bundle carries', async () => {
    const [sick] = await legacyAttested()
    const stored = sick.repository.manifests.get(sick.repository.tagged.get(`${sick.tag}.att`) as Digest)
    const manifest = JSON.parse(Buffer.from(stored?.bytes ?? []).toString()) as { layers: Descriptor[] }
    const timestamp = JSON.stringify({ SignedRFC3161Timestamp: Buffer.from('time').toString('base64') })
    const layers = manifest.layers.map((layer) => ({
      ...layer,
      annotations: { ...layer.annotations, 'dev.sigstore.cosign/rfc3161timestamp': timestamp },
    }))
    sick.dropWriterTags()
    sick.put(`${sick.tag}.att`, { ...manifest, layers }, stored?.mediaType)
    const { written, removed } = await migrate(sick, true)
    expect(written).toHaveLength(1)
    expect(removed).toEqual([])
  })
})

describe('a legacy signature', () => {
  it('cannot be migrated: nothing is written, and it is said that its signer must sign again', async () => {
    const sick = await sickImage(['legacy'])
    const { migrations } = await planMigration(sick.repository, sick.subject)
    expect(migrations).toMatchObject([{ kind: 'sign_again', why: expect.stringContaining('payload') as string }])
    expect(await migrate(sick, true)).toEqual({ written: [], relisted: [], removed: [] })
    expect(sick.repository.tagged.has(`${sick.tag}.sig`)).toBe(true)
  })
})

describe('a bundle around an envelope', () => {
  const envelope = {
    payloadType: 'application/vnd.in-toto+json',
    payload: utf8('{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"aa"}}],"predicateType":"p"}'),
    signatures: [{ sig: new Uint8Array([1]) }],
  }
  const certificate = issue({ issuer: { name: nameOf('root'), key: newKey() } })
  const entity = { material: { kind: 'public-key' } as const, logEntries: [], timestamps: [], content: { kind: 'dsse', envelope } as const }
  const entry = {
    logIndex: 5,
    logId: new Uint8Array(32),
    kind: 'dsse',
    version: '0.0.1',
    integratedTime: 1,
    signedEntryTimestamp: new Uint8Array([2]),
    canonicalizedBody: utf8('{"kind":"dsse","apiVersion":"0.0.1"}'),
  }
  const certified = { ...entity, material: { kind: 'certificate', chain: [certificate, certificate] } as const }
  const versionOf = (wrapping: ReturnType<typeof bundleAround>) =>
    wrapping.kind === 'bundle' ? parseBundle(wrapping.bytes).version : wrapping.why

  it('has version 0.3, and 0.1 where its log entry has a promise and no proof', () => {
    expect(versionOf(bundleAround(entity))).toBe('0.3')
    expect(versionOf(bundleAround({ ...entity, logEntries: [entry] }))).toBe('0.1')
  })

  it('carries no timestamp, which was over something else, and says so', () => {
    const wrapping = bundleAround({ ...entity, timestamps: [new Uint8Array([5])] })
    expect(wrapping).toMatchObject({ kind: 'bundle', notes: [expect.stringContaining('timestamp')] })
    expect(wrapping.kind === 'bundle' ? parseBundle(wrapping.bytes).timestamps : undefined).toEqual([])
  })

  it('is not made where that timestamp was the only time of a certificate', () => {
    expect(bundleAround({ ...certified, timestamps: [new Uint8Array([5])] })).toMatchObject({ kind: 'impossible' })
    expect(bundleAround({ ...certified, timestamps: [new Uint8Array([5])], logEntries: [entry] })).toMatchObject({ kind: 'bundle' })
  })

  it('is not made with a certificate that is none, which keeps no other attestation from being migrated', () => {
    const broken = { ...certified, material: { kind: 'certificate', chain: [new Uint8Array([3])] } as const }
    expect(bundleAround({ ...broken, logEntries: [entry] })).toMatchObject({ kind: 'impossible' })
  })

  it('is not made around two signatures, nor around a payload that is no statement', () => {
    const two = { ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] }
    expect(bundleAround({ ...entity, content: { kind: 'dsse', envelope: two } })).toMatchObject({ kind: 'impossible' })
    expect(
      bundleAround({ ...entity, content: { kind: 'simple-signing', payload: utf8('{}'), signature: new Uint8Array() } }),
    ).toMatchObject({
      kind: 'impossible',
    })
  })
})
