import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { parseReference } from '@countersign/core/oci/reference'
import { type ContainerRun, resolveContainer } from '@countersign/sdk/batch/container'
import { expandContainer, type ManifestChoice } from '@countersign/sdk/batch/expand'
import type { ItemVerdict, Judge } from '@countersign/sdk/batch/judge'
import type { BatchItem, ContainerItem } from '@countersign/sdk/batch/model'
import { once } from '@countersign/sdk/batch/once'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { loadPolicy } from '@countersign/sdk/policy/source'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import type { Repository } from '@countersign/sdk/registry/repository'
import { keyPolicy, pushImage, pushIndex, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository, sha256Digest } from '@countersign/testkit/memory-repository'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const nowMs = Date.UTC(2026, 10, 20)
const [team, mallory] = [testSigner(), testSigner()]
const judge: Judge = { kind: 'demands', id: 'team', policy: keyPolicy([team]) }
const name = 'memory.example/repo'

function item(reference: string, more: Partial<ContainerItem> = {}): ContainerItem {
  return { kind: 'container', subject: reference, image: parseReference(reference), demands: {}, ...more }
}

function runOver(repository: Repository): ContainerRun {
  return { open: async () => ({ images: repository, signatures: repository }), nowMs }
}

async function sign(
  repository: Repository,
  reference: string,
  layout: SignatureLayout = 'bundle',
  recursive = false,
  signer = team,
): Promise<void> {
  const request = { image: parseReference(reference), signer, layout, recursive, upload: true, annotations: {} } as const
  await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
}

async function verdict(repository: Repository, one: ContainerItem, by: Judge = judge): Promise<string> {
  try {
    const { ok, failure } = await (await resolveContainer(runOver(repository), one, by)).verify()
    return ok ? 'ok' : (failure?.code ?? 'no reason')
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    return cause.code
  }
}

describe('an image of a run', () => {
  it.each(['bundle', 'legacy'] as const)('is verified whatever the layout of its signature: %s', async (layout) => {
    const repository = memoryRepository({})
    await pushImage(repository, 'x', 'v1')
    await sign(repository, `${name}:v1`, layout)
    expect(await verdict(repository, item(`${name}:v1`))).toBe('ok')
  })

  it('is its own failure when it is not there, not signed, or signed by a stranger', async () => {
    const repository = memoryRepository({})
    await pushImage(repository, 'x', 'unsigned')
    await pushImage(repository, 'y', 'strange')
    await sign(repository, `${name}:strange`, 'bundle', false, mallory)
    expect(await verdict(repository, item(`${name}:none`))).toBe('artifact_not_found')
    expect(await verdict(repository, item(`${name}:unsigned`))).toBe('no_signature')
    expect(await verdict(repository, item(`${name}:strange`))).toBe('signer_untrusted')
  })

  it('is the same question by tag and by digest, and another one to another judge', async () => {
    const repository = memoryRepository({})
    const { digest } = await pushImage(repository, 'x', 'v1')
    const run = runOver(repository)
    const byTag = await resolveContainer(run, item(`${name}:v1`), judge)
    const byDigest = await resolveContainer(run, item(`${name}@${digest}`), judge)
    const other = await resolveContainer(run, item(`${name}:v1`), { ...judge, id: 'other' })
    expect(byTag.key).toBe(byDigest.key)
    expect(other.key).not.toBe(byTag.key)
  })

  it('is verified once however often it is asked for', async () => {
    const memory = once()
    let done = 0
    const work = async (): Promise<ItemVerdict> => {
      done++
      return { ok: true, accepted: [], rejected: [], unreadable: [] }
    }
    await Promise.all([memory('k', work), memory('k', work), memory('other', work)])
    expect(done).toBe(2)
  })

  it('could not be told of when the registry does not answer, and the next image is looked at all the same', async () => {
    const repository = memoryRepository({})
    await pushImage(repository, 'x', 'v1')
    await sign(repository, `${name}:v1`)
    const dead: Repository = {
      ...repository,
      referrers: async () => Promise.reject(new CountersignError('registry_throttled', 'slow down')),
      resolve: repository.resolve,
    }
    expect(await verdict(dead, item(`${name}:v1`))).toBe('registry_throttled')
    expect(await verdict(repository, item(`${name}:v1`))).toBe('ok')
  })
})

describe('an image with its signature in a file', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-batch-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function evidence(layout: SignatureLayout, subject: string): Promise<{ readonly repository: Repository; readonly path: string }> {
    const repository = memoryRepository({})
    await pushImage(repository, 'x', 'v1')
    await pushImage(repository, 'y', 'v2')
    const request = {
      image: parseReference(`${name}:${subject}`),
      signer: team,
      layout,
      recursive: false,
      upload: false,
      annotations: {},
    } as const
    const [signed] = await signImageIn({ images: { ...repository, name }, signatures: repository }, request, { nowMs })
    const made = signed?.signatures[0]
    const path = join(folder, `${layout}-${subject}`)
    writeFileSync(path, (layout === 'legacy' ? made?.signature : made?.bytes) ?? '')
    return { repository, path }
  }

  it.each(['bundle', 'legacy'] as const)('is verified by it: %s', async (layout) => {
    const { repository, path } = await evidence(layout, 'v1')
    expect(await verdict(repository, item(`${name}:v1`, { evidence: path }))).toBe('ok')
  })

  it('attack: by the signature of another image', async () => {
    const { repository, path } = await evidence('bundle', 'v2')
    expect(await verdict(repository, item(`${name}:v1`, { evidence: path }))).toBe('subject_mismatch')
  })

  it('attack: by what is no signature', async () => {
    const { repository, path } = await evidence('bundle', 'v1')
    writeFileSync(path, '{"mediaType":')
    expect(await verdict(repository, item(`${name}:v1`, { evidence: path }))).toBe('bundle_malformed')
  })

  it('that is not there', async () => {
    const { repository } = await evidence('bundle', 'v1')
    expect(await verdict(repository, item(`${name}:v1`, { evidence: join(folder, 'gone') }))).toBe('file_not_found')
  })
})

const indexType = 'application/vnd.oci.image.index.v1+json'

async function pushPlatforms(repository: Repository, tag: string, platforms: readonly string[]): Promise<readonly Descriptor[]> {
  const manifests = await Promise.all(
    platforms.map(async (platform) => {
      const [os = '', architecture = '', variant] = platform.split('/')
      const image = await pushImage(repository, platform)
      return { ...image, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } }
    }),
  )
  await repository.putManifest({ tag }, utf8(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests })), indexType)
  return manifests
}

describe('an index', () => {
  const all: ManifestChoice = { recursive: true, platforms: [] }

  function names(items: readonly BatchItem[]): readonly string[] {
    return items.map((one) =>
      one.kind === 'failed' ? `${one.failure.code} ${one.subject}` : one.kind === 'container' ? (one.platform ?? 'index') : one.kind,
    )
  }

  it('stays one question unless more is asked for', async () => {
    const repository = memoryRepository({})
    const one = item(`${name}:v1`)
    expect(await expandContainer(repository, one, { recursive: false, platforms: [] })).toEqual([one])
    expect(repository.requests.size).toBe(0)
  })

  it('is itself and every manifest that it lists, each once', async () => {
    const repository = memoryRepository({})
    await pushPlatforms(repository, 'v1', ['linux/amd64', 'linux/arm64', 'linux/amd64'])
    expect(names(await expandContainer(repository, item(`${name}:v1`), all))).toEqual(['index', 'linux/amd64', 'linux/arm64'])
  })

  it('is all of an index in an index', async () => {
    const repository = memoryRepository({})
    const inner = await pushIndex(repository, [await pushImage(repository, 'a'), await pushImage(repository, 'b')])
    await pushIndex(repository, [inner, await pushImage(repository, 'c')], 'v1')
    expect(await expandContainer(repository, item(`${name}:v1`), all)).toHaveLength(5)
  })

  it('is the platforms that are named; one that is missing is a failure', async () => {
    const repository = memoryRepository({})
    await pushPlatforms(repository, 'v1', ['linux/amd64', 'linux/arm64/v8', 'linux/arm64/v7'])
    const items = await expandContainer(repository, item(`${name}:v1`), {
      recursive: false,
      platforms: ['linux/arm64', 'linux/amd64', 'linux/s390x'],
    })
    expect(names(items)).toEqual(['linux/arm64/v8', 'linux/arm64/v7', 'linux/amd64', `artifact_not_found ${name}:v1 (linux/s390x)`])
  })

  it('attack: a tag that moves meanwhile: what is listed and what is verified is one digest', async () => {
    const repository = memoryRepository({})
    await pushPlatforms(repository, 'v1', ['linux/amd64'])
    const items = await expandContainer(repository, item(`${name}:v1`), all)
    for (const one of items) expect(one.kind === 'container' && one.image.digest).toMatch(/^sha256:/)
  })

  it('verifies what it lists though one of it is not there: that one alone fails', async () => {
    const repository = memoryRepository({})
    const [, gone] = await pushPlatforms(repository, 'v1', ['linux/amd64', 'linux/arm64'])
    await sign(repository, `${name}:v1`, 'bundle', true)
    repository.manifests.delete(gone?.digest ?? sha256Digest(utf8('')))
    const items = await expandContainer(repository, item(`${name}:v1`), all)
    expect(await Promise.all(items.map(async (one) => (one.kind === 'container' ? verdict(repository, one) : one.kind)))).toEqual([
      'ok',
      'ok',
      'artifact_not_found',
    ])
  })

  it('attack: an index in an index that the registry hides, so that nothing of it is verified: its own signature does not stand for it', async () => {
    const repository = memoryRepository({})
    const inner = await pushIndex(repository, [await pushImage(repository, 'x')])
    await pushIndex(repository, [inner], 'v1')
    await sign(repository, `${name}:v1`, 'bundle', true)
    repository.manifests.delete(inner.digest)
    const items = await expandContainer(repository, item(`${name}:v1`), all)
    const outcomes = items.map(async (one) => (one.kind === 'container' ? verdict(repository, one) : one.kind))
    expect(await Promise.all(outcomes)).toEqual(['ok', 'artifact_not_found'])
  })

  it('attack: an index of more manifests than an index has, and indexes without end', async () => {
    const repository = memoryRepository({})
    const one = await pushImage(repository, 'x')
    const many = Array.from({ length: 1_001 }, (_, at) => ({ ...one, digest: sha256Digest(utf8(`${at}`)) }))
    await pushIndex(repository, many, 'many')
    await expect(expandContainer(repository, item(`${name}:many`), all)).rejects.toMatchObject({ code: 'limit_exceeded' })
    let inner: Descriptor = one
    for (let depth = 0; depth < 6; depth++) inner = await pushIndex(repository, [inner], 'deep')
    await expect(expandContainer(repository, item(`${name}:deep`), all)).rejects.toMatchObject({ code: 'limit_exceeded' })
  })
})

describe('the manifests of an index, by a policy that demands platforms', () => {
  it('are asked for what the index lists, not for what each of them is', async () => {
    const repository = memoryRepository({})
    await pushPlatforms(repository, 'v1', ['linux/amd64', 'linux/arm64'])
    await sign(repository, `${name}:v1`, 'bundle', true)
    const text = (platforms: readonly string[]): string =>
      JSON.stringify({
        apiVersion: 'countersign.dev/v1',
        kind: 'ArtifactPolicy',
        match: { images: ['memory.example/**'] },
        identities: { team: { keys: [encodePublicKeyPem(team.publicKey)] } },
        require: [
          { name: 'signed', signature: { by: 'team' } },
          { name: 'both', platforms },
        ],
      })
    const outcomes = async (platforms: readonly string[]): Promise<readonly string[]> => {
      const policy = await loadPolicy(text(platforms), 'policy.json', { primitives: nodePrimitives })
      const by: Judge = { kind: 'policy', id: 'policy', policy, revocations: new Map() }
      const items = await expandContainer(repository, item(`${name}:v1`), { recursive: true, platforms: [] })
      return Promise.all(items.map(async (one) => (one.kind === 'container' ? verdict(repository, one, by) : one.kind)))
    }
    expect(await outcomes(['linux/amd64', 'linux/arm64'])).toEqual(['ok', 'ok', 'ok'])
    expect(await outcomes(['linux/amd64', 'linux/s390x'])).toEqual(['policy_denied', 'policy_denied', 'policy_denied'])
  })
})
