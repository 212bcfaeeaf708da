import { describe, expect, it } from 'vitest'
import { nodePrimitives } from '../../../sdk/src/crypto/node-primitives.ts'
import { webPrimitives } from '../../src/web-primitives.ts'
import { preAuthEncoding } from '../../src/dsse/envelope.ts'
import { CountersignError } from '../../src/failure.ts'
import type { Primitives } from '../../src/primitives.ts'
import { maxBufferedArtifact, readArtifact, type Artifact, type KnownArtifact } from '../../src/verify/artifact.ts'
import { requiredHashes } from '../../src/verify/verify.ts'
import {
  artifactBytes,
  digestOf,
  entityOf,
  envelopeBy,
  keysOf,
  messageBy,
  newTestKey,
  policyOf,
  signPrehashed,
  signPss,
  signWith,
  simpleSigningBy,
  verified,
  type TestKeyType,
} from './forge.ts'

const types: readonly TestKeyType[] = ['ec-p256', 'ec-p384', 'ec-p521', 'rsa', 'ed25519']
const implementations = { openssl: nodePrimitives, webcrypto: webPrimitives(globalThis.crypto.subtle) }

async function* chunks(bytes: Uint8Array, size = 5): AsyncGenerator<Uint8Array> {
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size)
}

describe.each(Object.entries(implementations))('a signature, with %s,', (_name, primitives) => {
  describe.each(types)('by a key of type %s', (type) => {
    const key = newTestKey(type)
    const policy = policyOf(keysOf(newTestKey(type), key))

    it('over the artifact holds for the bytes, and for a stream of them', async () => {
      const entity = entityOf(messageBy(key))
      const whole = await verified(entity, policy, { primitives })
      expect(whole).toMatchObject({ ok: true, evidence: { signer: { kind: 'key', label: 'key 1' }, content: { kind: 'message' } } })
      expect(await verified(entity, policy, { primitives, artifact: { kind: 'stream', stream: chunks(artifactBytes) } })).toEqual(whole)
    })

    it('over the artifact does not hold for an artifact of which one bit differs', async () => {
      const altered = artifactBytes.with(0, (artifactBytes[0] as number) ^ 1)
      const claimed = await verified(entityOf(messageBy(key)), policy, { primitives, artifact: { kind: 'bytes', bytes: altered } })
      expect(claimed).toMatchObject({ ok: false, code: 'artifact_altered' })
      const unclaimed = await verified(entityOf(messageBy(key, false)), policy, { primitives, artifact: { kind: 'bytes', bytes: altered } })
      expect(unclaimed).toMatchObject({ ok: false, code: 'signer_untrusted' })
    })

    it('over an envelope and over a simple-signing payload holds', async () => {
      expect(await verified(entityOf(envelopeBy(key)), policy, { primitives })).toMatchObject({ ok: true })
      const payload = simpleSigningBy(key, digestOf(artifactBytes))
      expect(await verified(entityOf(payload), policy, { primitives })).toMatchObject({
        ok: true,
        evidence: { content: { kind: 'simple-signing', dockerReference: 'registry.example/app' } },
      })
    })
  })
})

describe.each(Object.entries(implementations))('RSA-PSS, with %s,', (_name, primitives) => {
  const key = newTestKey('rsa')
  const policy = policyOf(keysOf(key))
  const holds = { ok: true, evidence: { algorithm: 'PKIX_RSA_PSS_2048_SHA256' } }

  it('holds over an artifact, over a stream too long to be kept, and over an envelope, and evidence names it', async () => {
    const message = { kind: 'message', claimedDigest: digestOf(artifactBytes), signature: signPss(key, artifactBytes) } as const
    expect(await verified(entityOf(message), policy, { primitives })).toMatchObject(holds)
    expect(
      await verified(entityOf(message), policy, { primitives, artifact: { kind: 'digest', digests: [digestOf(artifactBytes)] } }),
    ).toMatchObject(holds)
    const { kind, envelope } = envelopeBy(key)
    const sig = signPss(key, preAuthEncoding(envelope.payloadType, envelope.payload))
    expect(await verified(entityOf({ kind, envelope: { ...envelope, signatures: [{ sig }] } }), policy, { primitives })).toMatchObject(
      holds,
    )
  })

  it('attack: a salt of another length, which the algorithm does not name, does not hold', async () => {
    const message = { kind: 'message', claimedDigest: digestOf(artifactBytes), signature: signPss(key, artifactBytes, 20) } as const
    expect(await verified(entityOf(message), policy, { primitives })).toMatchObject({ ok: false, code: 'signer_untrusted' })
  })
})

describe('the hash of a message signature', () => {
  it('comes from the bundle where it names one: P-384 over SHA-256, as cosign 2 signed', async () => {
    const key = newTestKey('ec-p384')
    const content = { kind: 'message', claimedDigest: digestOf(artifactBytes), signature: signWith(key, artifactBytes, 'sha256') } as const
    expect(await verified(entityOf(content), policyOf(keysOf(key)))).toMatchObject({
      ok: true,
      evidence: { algorithm: 'PKIX_ECDSA_P384_SHA_256', artifact: digestOf(artifactBytes) },
    })
  })

  it('is named before the artifact is read, so that a file is read once', () => {
    const [p256, p384] = [newTestKey(), newTestKey('ec-p384')]
    const claimless = entityOf(messageBy(p384, false))
    expect(requiredHashes(claimless, policyOf(keysOf(p256)))).toEqual(['sha256'])
    expect(requiredHashes(claimless, policyOf(keysOf(p256, p384)))).toEqual(['sha256', 'sha384'])
    expect(requiredHashes(entityOf(messageBy(p384)), policyOf(keysOf(p256)))).toEqual(['sha384'])
    const subject = [{ digest: { sha512: digestOf(artifactBytes, 'sha512').slice(7), gitCommit: 'a'.repeat(40) } }]
    expect(requiredHashes(entityOf(envelopeBy(p256, { subject })), policyOf(keysOf(p256)))).toEqual(['sha512'])
  })

  it('is algorithm_unsupported when the verifier knows the artifact by another hash only', async () => {
    const key = newTestKey('ec-p384')
    const artifact: Artifact = { kind: 'digest', digests: [digestOf(artifactBytes)] }
    expect(await verified(entityOf(messageBy(key)), policyOf(keysOf(key)), { artifact })).toMatchObject({
      ok: false,
      code: 'algorithm_unsupported',
      expected: 'a sha384 digest',
    })
    const both: Artifact = { kind: 'digest', digests: [digestOf(artifactBytes), digestOf(artifactBytes, 'sha384')] }
    expect(await verified(entityOf(messageBy(key)), policyOf(keysOf(key)), { artifact: both })).toMatchObject({ ok: true })
  })

  it('is given once: two SHA-256 digests of one artifact are refused', async () => {
    const key = newTestKey()
    const artifact: Artifact = { kind: 'digest', digests: [digestOf(artifactBytes), digestOf(new Uint8Array(1))] }
    expect(await verified(entityOf(messageBy(key)), policyOf(keysOf(key)), { artifact })).toMatchObject({
      ok: false,
      code: 'digest_malformed',
    })
  })
})

describe('Ed25519', () => {
  const key = newTestKey('ed25519')
  const policy = policyOf(keysOf(key))
  const prehashed = {
    kind: 'message',
    claimedDigest: digestOf(artifactBytes, 'sha512'),
    signature: signPrehashed(key, artifactBytes),
  } as const

  it('is tried pure and prehashed, and the evidence says which held', async () => {
    expect(await verified(entityOf(messageBy(key)), policy)).toMatchObject({ ok: true, evidence: { algorithm: 'PKIX_ED25519' } })
    expect(await verified(entityOf(prehashed), policy)).toMatchObject({ ok: true, evidence: { algorithm: 'PKIX_ED25519_PH' } })
  })

  it('prehashed holds for a digest alone; pure needs the artifact and says so', async () => {
    const artifact: Artifact = { kind: 'digest', digests: [digestOf(artifactBytes, 'sha512')] }
    expect(await verified(entityOf(prehashed), policy, { artifact })).toMatchObject({ ok: true })
    expect(await verified(entityOf(messageBy(key)), policy, { artifact })).toMatchObject({ ok: false, code: 'algorithm_unsupported' })
  })

  it('pure over a stream is limit_exceeded beyond what is kept in memory, prehashed is not', async () => {
    const chunk = new Uint8Array(8 * 1024 * 1024)
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      for (let length = 0; length <= maxBufferedArtifact; length += chunk.length) yield chunk
    }
    const artifact: Artifact = { kind: 'stream', stream: endless() }
    const { signature } = messageBy(key)
    expect(await verified(entityOf({ kind: 'message', signature }), policy, { artifact })).toMatchObject({
      ok: false,
      code: 'limit_exceeded',
    })
  })

  it('by another key is not limit_exceeded when a trusted key of another type made the signature', async () => {
    const signer = newTestKey()
    const artifact: Artifact = { kind: 'digest', digests: [digestOf(artifactBytes), digestOf(artifactBytes, 'sha512')] }
    expect(await verified(entityOf(messageBy(signer, false)), policyOf(keysOf(key, signer)), { artifact })).toMatchObject({ ok: true })
  })
})

it('a broken assumption is thrown and is no refusal', async () => {
  const key = newTestKey()
  const broken: Primitives = {
    ...nodePrimitives,
    verify: async () => {
      throw new CountersignError('internal', 'the primitives are broken')
    },
  }
  await expect(verified(entityOf(messageBy(key)), policyOf(keysOf(key)), { primitives: broken })).rejects.toMatchObject({
    code: 'internal',
  })
})

describe('a stream', () => {
  const { length } = artifactBytes
  const read = (keepUpTo: number): Promise<KnownArtifact> =>
    readArtifact({ kind: 'stream', stream: chunks(artifactBytes) }, ['sha256'], keepUpTo, nodePrimitives)

  it('is kept whole up to the bound, and beyond it not at all', async () => {
    expect((await read(length)).bytes).toEqual(artifactBytes)
    expect(await read(length - 1)).not.toHaveProperty('bytes')
    expect((await read(length - 1)).digests).toEqual([digestOf(artifactBytes)])
  })
})

describe('bounds', () => {
  it('refuse an empty signature, and one longer than any algorithm makes', async () => {
    const policy = policyOf(keysOf(newTestKey()))
    for (const length of [0, 1025]) {
      const content = { kind: 'message', signature: new Uint8Array(length) } as const
      expect(await verified(entityOf(content), policy)).toMatchObject({ ok: false, code: 'bundle_malformed' })
    }
  })

  it('refuse more than 32 timestamps', async () => {
    const key = newTestKey()
    const entity = { ...entityOf(messageBy(key)), timestamps: Array.from({ length: 33 }, () => new Uint8Array(1)) }
    expect(await verified(entity, policyOf(keysOf(key)))).toMatchObject({ ok: false, code: 'limit_exceeded' })
  })
})
