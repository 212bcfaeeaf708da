import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { serializeBundle } from '../../src/bundle/serialize.ts'
import type { Bundle } from '../../src/bundle/model.ts'
import { utf8 } from '../../src/bytes.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import { CountersignError } from '../../src/failure.ts'
import type { Primitives } from '../../src/primitives.ts'
import type { Artifact } from '../../src/verify/artifact.ts'
import { requiredHashes, verifyBundle } from '../../src/verify/verify.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  hinted,
  keysOf,
  messageBy,
  newTestKey,
  nowMs,
  policyOf,
  signPrehashed,
  signWith,
  simpleSigningBy,
  verified,
  type TestKey,
} from './forge.ts'

const [key, ed25519] = [newTestKey(), newTestKey('ed25519')]
const sha256 = digestOf(artifactBytes)
const sha512 = digestOf(artifactBytes, 'sha512')

function pureBy(signer: TestKey, claimedDigest?: typeof sha256): { kind: 'message'; signature: Uint8Array; claimedDigest?: typeof sha256 } {
  const signature = signWith(signer, artifactBytes)
  return { kind: 'message', signature, ...(claimedDigest === undefined ? {} : { claimedDigest }) }
}

describe('a bundle as it is stored', () => {
  const bundleOf = async (signer: TestKey): Promise<Bundle> => ({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    version: '0.3',
    ...entityOf(messageBy(signer), await hinted(signer)),
  })
  const request = {
    artifact: { kind: 'bytes', bytes: artifactBytes } as const,
    policy: policyOf(keysOf(key)),
    nowMs,
    primitives: nodePrimitives,
  }

  it('is verified like what it holds, as bytes and as text', async () => {
    const bundle = await bundleOf(key)
    const whole = await verified(bundle, request.policy)
    expect(whole).toMatchObject({ ok: true, evidence: { signer: { label: 'key 0' } } })
    const bytes = serializeBundle(bundle)
    expect(await verifyBundle(bytes, request)).toEqual(whole)
    expect(await verifyBundle(new TextDecoder().decode(bytes), request)).toEqual(whole)
    expect(await verifyBundle(serializeBundle(await bundleOf(newTestKey())), request)).toMatchObject({ code: 'signer_untrusted' })
  })

  it('that does not parse is a refusal like any other: a value, nothing thrown', async () => {
    expect(await verifyBundle('{}', request)).toMatchObject({ ok: false, code: 'bundle_malformed', checks: [] })
    expect(await verifyBundle(utf8('no bundle'), request)).toMatchObject({ ok: false, code: 'bundle_malformed' })
  })
})

describe('what an Ed25519 signature binds', () => {
  const policy = policyOf(keysOf(ed25519))

  it('is the digest that the bundle claims and that was compared, else the first that is known', async () => {
    for (const [content, artifact] of [
      [pureBy(ed25519, sha256), sha256],
      [pureBy(ed25519, sha512), sha512],
      [pureBy(ed25519), sha512],
      [{ kind: 'message', signature: signPrehashed(ed25519, artifactBytes), claimedDigest: sha256 }, sha512],
    ] as const) {
      expect(await verified(entityOf(content), policy)).toMatchObject({ ok: true, evidence: { artifact } })
    }
  })

  it('is asked for in the claimed hash and in the one that Ed25519ph signs', () => {
    expect(requiredHashes(entityOf(pureBy(ed25519, sha256)), policy)).toEqual(['sha256', 'sha512'])
    expect(requiredHashes(entityOf(pureBy(ed25519)), policy)).toEqual(['sha512'])
  })

  it('is not refused for the want of bytes when it holds prehashed over a digest alone', async () => {
    const artifact: Artifact = { kind: 'digest', digests: [sha512] }
    const content = { kind: 'message', signature: signPrehashed(ed25519, artifactBytes) } as const
    expect(await verified(entityOf(content), policy, { artifact })).toMatchObject({ ok: true, evidence: { algorithm: 'PKIX_ED25519_PH' } })
  })

  it('is never a simple-signing payload prehashed, which nobody ever made', async () => {
    const content = simpleSigningBy(ed25519, sha256)
    const payload = content.kind === 'simple-signing' ? content.payload : new Uint8Array()
    const prehashed = { kind: 'simple-signing', payload, signature: signPrehashed(ed25519, payload) } as const
    expect(await verified(entityOf(prehashed), policy)).toMatchObject({ ok: false, code: 'signer_untrusted' })
    const { envelope } = envelopeBy(ed25519)
    const sig = signPrehashed(ed25519, preAuthEncoding(envelope.payloadType, envelope.payload))
    const statement = { kind: 'dsse', envelope: { ...envelope, signatures: [{ sig }] } } as const
    expect(await verified(entityOf(statement), policy)).toMatchObject({ ok: true, evidence: { algorithm: 'PKIX_ED25519_PH' } })
  })
})

describe('a key that cannot be tried', () => {
  const tooLarge: Artifact = { kind: 'known', artifact: { digests: [sha256, sha512], withoutBytes: 'too-large' } }
  const digests: Artifact = { kind: 'digest', digests: [sha256, sha512] }

  it.each([
    ['of too large an artifact', tooLarge, 'limit_exceeded'],
    ['of a digest alone', digests, 'algorithm_unsupported'],
  ] as const)('says why, %s, unless another one holds', async (_what, artifact, code) => {
    const content = messageBy(key, false)
    expect(await verified(entityOf(content), policyOf(keysOf(ed25519, key)), { artifact })).toMatchObject({ ok: true })
    expect(await verified(entityOf(content), policyOf(keysOf(key, ed25519)), { artifact })).toMatchObject({ ok: true })
    for (const keys of [keysOf(ed25519), keysOf(ed25519, newTestKey()), keysOf(newTestKey(), ed25519)]) {
      expect(await verified(entityOf(content), policyOf(keys), { artifact })).toMatchObject({ ok: false, code })
    }
  })

  it('says which digests are known, if any', async () => {
    const content = messageBy(newTestKey('ec-p384'), false)
    const policy = policyOf(keysOf(newTestKey('ec-p384')))
    const known = (...list: (typeof sha256)[]): Artifact => ({ kind: 'known', artifact: { digests: list, withoutBytes: 'too-large' } })
    expect(await verified(entityOf(content), policy, { artifact: known() })).toMatchObject({ found: 'none' })
    expect(await verified(entityOf(content), policy, { artifact: known(sha256, sha512) })).toMatchObject({ found: `${sha256}, ${sha512}` })
  })

  it.each([new TypeError('defect'), new CountersignError('internal', 'defect')])(
    'by a defect of the platform is no refusal: %s is thrown on',
    async (cause) => {
      await expect(verifyBundleOf(key, { ...nodePrimitives, verify: () => Promise.reject(cause) })).rejects.toBe(cause)
    },
  )

  it('by a failure of the platform that has a code is a refusal with that code, at once', async () => {
    const cause = new CountersignError('io_failed', 'no token in the reader')
    const broken: Primitives = { ...nodePrimitives, verify: () => Promise.reject(cause) }
    expect(await verifyBundleOf(key, broken)).toMatchObject({ ok: false, code: 'io_failed', detail: 'no token in the reader' })
  })

  async function verifyBundleOf(signer: TestKey, primitives: Primitives): Promise<unknown> {
    const policy = policyOf(keysOf(newTestKey('ed25519'), signer))
    const bundle = { mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json', version: '0.3', ...entityOf(messageBy(signer)) } as const
    return verifyBundle(serializeBundle(bundle), { artifact: { kind: 'bytes', bytes: artifactBytes }, policy, nowMs, primitives })
  }
})

it('an artifact without any digest is digest_malformed', async () => {
  expect(await verified(entityOf(messageBy(key)), policyOf(keysOf(key)), { artifact: { kind: 'digest', digests: [] } })).toMatchObject({
    ok: false,
    code: 'digest_malformed',
  })
})

it('a large artifact is hashed once: up to 16 MiB the platform takes the message, beyond that the digest', async () => {
  const bound = 16 * 1024 * 1024
  for (const [length, way] of [
    [bound, 'verify'],
    [bound + 1, 'verifyDigest'],
  ] as const) {
    const bytes = new Uint8Array(length)
    const ways: string[] = []
    const primitives: Primitives = {
      ...nodePrimitives,
      verify: (...all) => (ways.push('verify'), nodePrimitives.verify(...all)),
      verifyDigest: (...all) => (ways.push('verifyDigest'), nodePrimitives.verifyDigest(...all)),
    }
    const content = { kind: 'message', signature: signWith(key, bytes) } as const
    const artifact = { kind: 'known', artifact: { digests: [digestOf(bytes)], bytes, withoutBytes: 'too-large' } } as const
    expect(await verified(entityOf(content), policyOf(keysOf(key)), { artifact, primitives })).toMatchObject({ ok: true })
    expect(new Set(ways)).toEqual(new Set([way]))
  }
})

describe('the hashes that content needs of an artifact', () => {
  const policy = policyOf(keysOf(key))

  it('are those in which it names the artifact', () => {
    expect(requiredHashes(entityOf(simpleSigningBy(key, sha512)), policy)).toEqual(['sha512'])
    const subject = [{ digest: { sha256: sha256.slice(7) } }, { digest: { sha256: sha256.slice(7), sha512: sha512.slice(7) } }]
    expect(requiredHashes(entityOf(envelopeBy(key, { subject })), policy)).toEqual(['sha256', 'sha512'])
  })

  it('are SHA-256 where it names none that is supported, for the report', () => {
    expect(requiredHashes(entityOf(envelopeBy(key, { subject: [{ digest: { sha1: '0'.repeat(40) } }] })), policy)).toEqual(['sha256'])
  })
})

it('a subject named by two hashes is the artifact of which one is known', async () => {
  const subject = [{ digest: { sha512: '0'.repeat(128), sha256: sha256.slice(7) } }]
  const artifact: Artifact = { kind: 'digest', digests: [sha256] }
  expect(await verified(entityOf(envelopeBy(key, { subject })), policyOf(keysOf(key)), { artifact })).toMatchObject({
    ok: true,
    evidence: { artifact: sha256 },
  })
})

it('a statement may be about a file that looks like an encoding: only a file signature over one is an attack', async () => {
  const { envelope } = envelopeBy(newTestKey())
  const bytes = preAuthEncoding(envelope.payloadType, envelope.payload)
  const content = envelopeBy(key, { subject: [{ digest: { sha256: digestOf(bytes).slice(7) } }] })
  expect(await verified(entityOf(content), policyOf(keysOf(key)), { artifact: { kind: 'bytes', bytes } })).toMatchObject({ ok: true })
})

it('a demand for no annotation at all checks none', async () => {
  const content = { kind: 'signature', annotations: new Map() } as const
  const result = await verified(entityOf(envelopeBy(key)), policyOf(keysOf(key), { content }))
  expect(result.ok && result.evidence.checks.map(({ check }) => check)).not.toContain('annotations')
})

it('several annotations that were demanded are all told', async () => {
  const annotations = { env: 'prod', team: 'a' }
  const subject = [{ digest: { sha256: sha256.slice(7) }, annotations }]
  const content = { kind: 'signature', annotations: new Map(Object.entries(annotations)) } as const
  const result = await verified(entityOf(envelopeBy(key, { subject })), policyOf(keysOf(key), { content }))
  expect(result.ok && result.evidence.checks.find(({ check }) => check === 'annotations')?.detail).toBe('env=prod, team=a')
})

describe('a simple-signing payload', () => {
  const about = (payload: string): ReturnType<typeof verified> => {
    const bytes = utf8(payload)
    const content = { kind: 'simple-signing', payload: bytes, signature: signWith(key, bytes) } as const
    return verified(entityOf(content), policyOf(keysOf(key)))
  }
  const image = `"image":{"docker-manifest-digest":"${sha256}"}`

  it('may leave out everything but the digest, and then says nothing else', async () => {
    for (const identity of ['', ',"identity":null', ',"identity":{}']) {
      expect(await about(`{"critical":{${image}${identity}}}`)).toMatchObject({
        ok: true,
        evidence: { content: { kind: 'simple-signing', dockerReference: '' }, annotations: {} },
      })
    }
  })

  it('is bounded in size and depth', async () => {
    const padded = (length: number): string => {
      const start = `{"critical":{${image}},"optional":{"a":"`
      return `${start}${'x'.repeat(length - start.length - 3)}"}}`
    }
    expect(await about(padded(64 * 1024))).toMatchObject({ ok: true })
    expect(await about(padded(64 * 1024 + 1))).toMatchObject({ ok: false, code: 'bundle_malformed' })
    const nested = (depth: number): string => `{"critical":{${image}},"optional":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`
    expect(await about(nested(14))).toMatchObject({ ok: true })
    expect(await about(nested(15))).toMatchObject({ ok: false, code: 'bundle_malformed' })
  })

  it.each(['', 'null', '[]', '{}', '{"critical":{}}', '{"critical":{"image":{}}}', `{"critical":{${image},"identity":[]}}`])(
    'that cannot be read is bundle_malformed: %j',
    async (payload) => {
      expect(await about(payload)).toMatchObject({ ok: false, code: 'bundle_malformed' })
    },
  )
})
