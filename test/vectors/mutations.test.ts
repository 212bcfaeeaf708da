import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseDigest, type Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import type { Bundle, SignedEntity, TransparencyLogEntry } from '@countersign/core/bundle/model'
import { parseBundle } from '@countersign/core/bundle/parse'
import type { TrustedRoot } from '@countersign/core/trust/model'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import type { Evidence, Verification } from '@countersign/core/verify/evidence'
import type { NameMatch, VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyBundle, verifyEntity, type VerifyRequest } from '@countersign/core/verify/verify'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { assert, asyncProperty, integer } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { vectorsFolder } from '../../packages/testkit/src/vectors.ts'
import { readConformanceCases, type ConformanceCase } from './conformance-cases.ts'

const vectors = vectorsFolder()
const cases = vectors === undefined ? [] : readConformanceCases(vectors)
const required = { kind: 'required' } as const

function named(name: string): ConformanceCase {
  const found = cases.find((one) => one.name === name)
  if (found === undefined) throw new CountersignError('file_not_found', `no conformance case ${name}`)
  return found
}

function requestFor(one: ConformanceCase, subject: NameMatch, wishes: Partial<VerifyPolicy> = {}): Omit<VerifyRequest, 'entity'> {
  const bytes = readFileSync(one.artifactFile)
  return {
    artifact: { kind: 'digest', digests: [parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`) as Digest] },
    trustedRoot: parseTrustedRoot(one.trustedRoot),
    nowMs: Date.UTC(2026, 10, 20),
    primitives: nodePrimitives,
    policy: {
      signer: { kind: 'identities', identities: [{ issuer: { kind: 'exact', value: one.issuer }, subject }] },
      content: { kind: 'any_content' },
      log: required,
      sct: required,
      signedTimestamp: { kind: 'not_demanded' },
      claims: required,
      ...wishes,
    },
  }
}

async function verifyCase(
  name: string,
  change: (entity: Bundle) => SignedEntity = (entity) => entity,
  wishes: Partial<VerifyPolicy> = {},
  root: Partial<TrustedRoot> = {},
): Promise<Verification> {
  const one = named(name)
  const request = requestFor(one, { kind: 'exact', value: one.identity }, wishes)
  const trustedRoot = { ...(request.trustedRoot as TrustedRoot), ...root }
  return verifyEntity({ ...request, trustedRoot, entity: change(parseBundle(one.bundle)) })
}

async function codeOf(...parameters: Parameters<typeof verifyCase>): Promise<string> {
  const result = await verifyCase(...parameters)
  return result.ok ? 'verified' : result.code
}

function bundleOf(name: string): Bundle {
  return parseBundle(named(name).bundle)
}

function onlyEntry(entity: SignedEntity): TransparencyLogEntry {
  return entity.logEntries[0] as TransparencyLogEntry
}

describe.skipIf(vectors === undefined)('attacks on real bundles (skipped where the vectors are not beside the checkout)', () => {
  it('the entry of another artifact is log_entry_mismatch', async () => {
    const { logEntries } = bundleOf('happy-path-v0.3')
    expect(await codeOf('happy-path-v0.1', (entity) => ({ ...entity, logEntries }))).toBe('log_entry_mismatch')
    const stolen = [...bundleOf('happy-path-v0.1').logEntries, ...logEntries]
    expect(await codeOf('happy-path-v0.1', (entity) => ({ ...entity, logEntries: stolen }))).toBe('log_entry_mismatch')
  })

  it('the proof of another entry is refused', async () => {
    const { inclusionProof } = onlyEntry(bundleOf('happy-path-v0.3'))
    const swap = (entity: Bundle): SignedEntity => {
      return { ...entity, logEntries: [{ ...onlyEntry(entity), ...(inclusionProof === undefined ? {} : { inclusionProof }) }] }
    }
    expect(await codeOf('happy-path-intoto-in-dsse-v3', swap)).toBe('inclusion_proof_invalid')
  })

  it('the certificate of another signature is bundle_altered', async () => {
    const { material } = bundleOf('happy-path-v0.3')
    expect(await codeOf('happy-path-v0.1', (entity) => ({ ...entity, material }))).toBe('bundle_altered')
  })

  it('the timestamp of another signature is timestamp_invalid, also beside the right one', async () => {
    const { timestamps } = bundleOf('rekor2-timestamp-with-embedded-cert')
    expect(await codeOf('rekor2-happy-path', (entity) => ({ ...entity, timestamps }))).toBe('timestamp_invalid')
    const both = (entity: Bundle): SignedEntity => ({ ...entity, timestamps: [...entity.timestamps, ...timestamps] })
    expect(await codeOf('rekor2-happy-path', both)).toBe('timestamp_invalid')
  })

  it('a foreign timestamp is not counted and does no harm', async () => {
    const { timestamps } = bundleOf('rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail')
    const both = await verifyCase('rekor2-happy-path', (entity) => ({ ...entity, timestamps: [...timestamps, ...entity.timestamps] }))
    expect(both).toMatchObject({ ok: true, evidence: { times: [{ source: 'timestamp' }] } })
    expect(both.ok && both.evidence.times).toHaveLength(1)
    expect(await codeOf('rekor2-happy-path', (entity) => ({ ...entity, timestamps }))).toBe('timestamp_untrusted')
  })

  it('the same timestamp twice counts as one', async () => {
    const twice = await verifyCase('rekor2-happy-path', (entity) => ({
      ...entity,
      timestamps: [...entity.timestamps, ...entity.timestamps],
    }))
    expect(twice.ok && twice.evidence.times).toHaveLength(1)
  })

  it('without its timestamp a Rekor v2 bundle has no trusted time, and with a trusted root without authorities neither', async () => {
    expect(await codeOf('rekor2-happy-path', (entity) => ({ ...entity, timestamps: [] }))).toBe('trusted_time_missing')
    expect(await codeOf('rekor2-happy-path', undefined, {}, { timestampAuthorities: [] })).toBe('timestamp_untrusted')
    expect(await codeOf('rekor2-happy-path', undefined, { signedTimestamp: required }, { timestampAuthorities: [] })).toBe('trust_missing')
  })

  it.each([['logs'], ['ctLogs'], ['certificateAuthorities']] as const)(
    'an empty list of %s in the trusted root is trust_missing',
    async (list) => {
      expect(await codeOf('happy-path-v0.3', undefined, {}, { [list]: [] })).toBe('trust_missing')
      expect(await codeOf('rekor2-happy-path', undefined, {}, { [list]: [] })).toBe('trust_missing')
    },
  )

  it('the promise stripped from a v1 entry leaves no trusted time', async () => {
    const strip = (entity: Bundle): SignedEntity => {
      const { signedEntryTimestamp: _, ...entry } = onlyEntry(entity)
      return { ...entity, logEntries: [entry] }
    }
    expect(await codeOf('happy-path-v0.3', strip)).toBe('trusted_time_missing')
  })

  it('another integrated time under the same promise is signed_entry_timestamp_invalid', async () => {
    const move = (entity: Bundle): SignedEntity => ({ ...entity, logEntries: [{ ...onlyEntry(entity), integratedTime: 1_710_869_187 }] })
    expect(await codeOf('happy-path-v0.3', move)).toBe('signed_entry_timestamp_invalid')
  })

  it('an attestation is no signature: predicate_mismatch', async () => {
    const content = { kind: 'signature' } as const
    for (const name of ['happy-path-intoto-in-dsse-v3', 'rekor2-dsse-happy-path', 'intoto-with-custom-trust-root']) {
      expect(await codeOf(name, undefined, { content })).toBe('predicate_mismatch')
    }
    expect(await codeOf('happy-path-v0.3', undefined, { content: { kind: 'attestation' } })).toBe('predicate_mismatch')
  })

  it('a swapped predicate type is bundle_altered', async () => {
    const swap = (entity: Bundle): SignedEntity => {
      if (entity.content.kind !== 'dsse') return entity
      const payload = Buffer.from(entity.content.envelope.payload).toString('utf8').replace('slsa.dev/provenance', 'evil.dev/provenance')
      return { ...entity, content: { kind: 'dsse', envelope: { ...entity.content.envelope, payload: Buffer.from(payload) } } }
    }
    expect(await codeOf('happy-path-intoto-in-dsse-v3', swap)).toBe('bundle_altered')
  })

  it('a second signature in the envelope is dsse_signature_count', async () => {
    const one = named('happy-path-intoto-in-dsse-v3')
    const document = JSON.parse(one.bundle.toString('utf8')) as { dsseEnvelope: { signatures: object[] } }
    document.dsseEnvelope.signatures.push({ sig: 'MEUCIQDahV8=' })
    expect(await verifyBundle(JSON.stringify(document), requestFor(one, { kind: 'exact', value: one.identity }))).toMatchObject({
      ok: false,
      code: 'dsse_signature_count',
    })
  })

  it.each([
    { kind: 'pattern', value: '^https://github.com/evil/|refs/heads/main$' },
    { kind: 'pattern', value: 'extremely-dangerous' },
    { kind: 'pattern', value: 'https://github.com/sigstore-conformance' },
    { kind: 'glob', value: 'https://github.com/sigstore-conformance' },
    { kind: 'exact', value: 'https://github.com/sigstore-conformance/.*' },
  ] as const)('the unanchored identity $kind $value matches nothing', async (subject) => {
    const one = named('happy-path-v0.3')
    expect(await verifyBundle(one.bundle, requestFor(one, subject))).toMatchObject({ ok: false, code: 'identity_mismatch' })
  })
})

const sources = [
  'happy-path-v0.3',
  'happy-path-intoto-in-dsse-v3',
  'rekor2-happy-path',
  'rekor2-dsse-happy-path',
  'intoto-with-custom-trust-root',
]

describe.skipIf(vectors === undefined)(
  'one changed byte anywhere in a bundle (skipped where the vectors are not beside the checkout)',
  () => {
    it.each(sources)(
      'of %s never changes what is proven: it refuses, or nothing that matters was touched',
      { timeout: 120_000 },
      async (name) => {
        const one = named(name)
        const request = requestFor(one, { kind: 'exact', value: one.identity })
        const original = await verifyBundle(one.bundle, request)
        expect(original).toMatchObject({ ok: true })
        await assert(
          asyncProperty(integer({ min: 0, max: one.bundle.length - 1 }), integer({ min: 1, max: 255 }), async (position, difference) => {
            const mutant = Buffer.from(one.bundle)
            mutant[position] = (mutant[position] as number) ^ difference
            expect(addedBy(await verifyBundle(mutant, request), original)).toEqual([])
          }),
          { numRuns: 400 },
        )
      },
    )
  },
)

/** What a mutant proves that its original does not: a timestamp may become a foreign one and count no more, nothing may come or change. */
function addedBy(mutant: Verification, original: Verification): readonly string[] {
  if (!mutant.ok || !original.ok) return []
  const known = new Set(factsOf(original.evidence))
  return factsOf(mutant.evidence).filter((fact) => !known.has(fact))
}

function factsOf({ artifact, content, signer, algorithm, times, log }: Evidence): readonly string[] {
  const one = [{ artifact }, { content }, { signer }, { algorithm }]
  return [...one, ...times.map((time) => ({ time })), ...log.map((entry) => ({ entry }))].map((fact) => JSON.stringify(fact))
}
