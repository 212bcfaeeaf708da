import type { JsonValue } from '@countersign/core/json/parse'
import { CountersignError } from '@countersign/core/failure'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { CompiledPolicy } from '@countersign/core/policy/compile'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import { signImageIn } from '@countersign/sdk/sign/image'
import { judgeImageIn } from '@countersign/sdk/verify/by-policy'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { type MemoryRepository, memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const byTag: ImageReference = { place, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const [team, stranger] = [testSigner(), testSigner()]

type Ground = { readonly repository: MemoryRepository; readonly image: ImageReference; readonly remove: () => void }

/** An image, signed or not. `remove` takes the image away and leaves what refers to it, as a registry's clean-up may. */
async function pushed(signer?: typeof team): Promise<Ground> {
  const repository = memoryRepository({ referrersApi: false })
  const { digest } = await pushImage(repository, 'hello', 'v1')
  const request = { image: byTag, layout: 'bundle', recursive: false, upload: true, annotations: {} } as const
  if (signer !== undefined) await signImageIn({ images: repository, signatures: repository }, { ...request, signer }, { nowMs })
  repository.requests.clear()
  return { repository, image: { place, digest }, remove: () => void repository.manifests.delete(digest) }
}

type Asked = { readonly image?: ImageReference; readonly checkPresent?: boolean }

/** The outcome, and how often it was asked what the image is. */
async function verified({ repository, image }: Ground, asked: Asked = {}): Promise<readonly [string, number]> {
  const both = { images: repository, signatures: repository }
  const { ok, failure } = await verifyImageIn(both, { image, policy: keyPolicy([team]), nowMs, ...asked })
  return [ok ? 'ok' : (failure?.code ?? ''), repository.requests.get('resolve') ?? 0]
}

async function judged({ repository, image }: Ground, require: JsonValue, asked: Asked = {}): Promise<readonly [string, number]> {
  const both = { images: repository, signatures: repository }
  const { verdict, failure } = await judgeImageIn(both, { image, policy: await policyOf(require), nowMs, ...asked })
  return [failure?.code ?? verdict?.decision ?? '', repository.requests.get('resolve') ?? 0]
}

function policyOf(require: JsonValue): Promise<CompiledPolicy> {
  const match = { images: ['memory.example/**'] }
  const identities = { team: { keys: [encodePublicKeyPem(team.publicKey)] } }
  const text = JSON.stringify({ apiVersion: 'countersign.dev/v1', kind: 'ArtifactPolicy', match, identities, require })
  return loadPolicy(text, 'policy.json', { primitives: nodePrimitives })
}

const signed: JsonValue = [{ name: 'signed', signature: { by: 'team' } }]

describe('an image that is named by its digest', () => {
  it('is not asked for itself where it is signed acceptably: the digest is what is signed', async () => {
    const ground = await pushed(team)
    expect(await verified(ground)).toEqual(['ok', 0])
    ground.remove()
    expect(await verified(ground)).toEqual(['ok', 0])
  })

  it('is asked for where the request says so', async () => {
    const ground = await pushed(team)
    expect(await verified(ground, { checkPresent: true })).toEqual(['ok', 1])
    ground.remove()
    expect(await verified(ground, { checkPresent: true })).toEqual(['artifact_not_found', 2])
  })

  it('is asked for before it is called unsigned, which is said of things that exist', async () => {
    const ground = await pushed()
    expect(await verified(ground)).toEqual(['no_signature', 1])
    ground.remove()
    expect(await verified(ground)).toEqual(['artifact_not_found', 2])
  })

  it('is asked for before a signature of somebody else is refused', async () => {
    const ground = await pushed(stranger)
    expect(await verified(ground)).toEqual(['signer_untrusted', 1])
    ground.remove()
    expect(await verified(ground)).toEqual(['artifact_not_found', 2])
  })

  it('attack: a registry that does not say whether the image is there does not make it unsigned', async () => {
    const ground = await pushed()
    const resolve = async (): Promise<never> => {
      throw new CountersignError('registry_throttled', '429')
    }
    expect((await verified({ ...ground, repository: { ...ground.repository, resolve } }))[0]).toBe('registry_throttled')
  })

  it('by its tag is resolved first, whatever signs the digest that the tag had', async () => {
    const ground = await pushed(team)
    expect(await verified(ground, { image: byTag })).toEqual(['ok', 1])
    ground.remove()
    expect(await verified(ground, { image: byTag })).toEqual(['artifact_not_found', 2])
  })
})

describe('an image that is named by its digest and judged by a policy', () => {
  it('is not asked for itself where a signature makes the policy allow it', async () => {
    const ground = await pushed(team)
    ground.remove()
    expect(await judged(ground, signed)).toEqual(['allow', 0])
    expect(await judged(ground, signed, { checkPresent: true })).toEqual(['artifact_not_found', 1])
  })

  it('is asked for before it is denied, warned of, or allowed without any signature', async () => {
    const ground = await pushed()
    const lenient = (onMissing: string): JsonValue => [{ name: 'signed', signature: { by: 'team' }, onMissing }]
    expect(await judged(ground, signed)).toEqual(['policy_denied', 1])
    expect(await judged(ground, lenient('warn'))).toEqual(['warn', 2])
    expect(await judged(ground, lenient('allow'))).toEqual(['allow', 3])
    ground.remove()
    expect(await judged(ground, signed)).toEqual(['artifact_not_found', 4])
    expect(await judged(ground, lenient('warn'))).toEqual(['artifact_not_found', 5])
    expect(await judged(ground, lenient('allow'))).toEqual(['artifact_not_found', 6])
  })

  it.each([
    [
      'its media type',
      [{ name: 'signed', match: { mediaTypes: ['application/vnd.oci.image.manifest.v1+json'] }, signature: { by: 'team' } }],
    ],
    ['its platforms', [{ name: 'platforms', platforms: ['linux/amd64'] }]],
    [
      'a condition, which may speak of its media type',
      [
        { name: 'signed', signature: { by: 'team' } },
        {
          name: 'built',
          attestation: { type: 'https://slsa.dev/provenance/v1', by: 'team', condition: "artifact.mediaType != ''" },
          onMissing: 'allow',
        },
      ],
    ],
  ] satisfies readonly (readonly [string, JsonValue])[])('is asked for first where the policy looks at %s', async (_what, require) => {
    const ground = await pushed(team)
    expect(await judged(ground, require)).toEqual(['allow', 1])
    ground.remove()
    expect(await judged(ground, require)).toEqual(['artifact_not_found', 2])
  })
})
