import type { CountersignError } from '@countersign/core/failure'
import { type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { termNames } from '@countersign/core/verify/terms'
import type { Repository } from '@countersign/sdk/registry/repository'
import { signImageIn } from '@countersign/sdk/sign/image'
import type { SignatureLayout, SignImageRequest } from '@countersign/sdk/sign/requests'
import { nameWarning } from '@countersign/sdk/verify/bound-name'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import { keyPolicy, pushImage, testSigner } from '@countersign/testkit/image-fixture'
import { memoryRepository } from '@countersign/testkit/memory-repository'
import { describe, expect, it } from 'vitest'

const place = { kind: 'registry', registry: 'memory.example', repository: 'repo' } as const
const image: ImageReference = { place, tag: 'v1' }
const nowMs = Date.UTC(2026, 10, 20)
const alice = testSigner()

async function signed(layout: SignatureLayout, terms: SignImageRequest['terms'], of: ImageReference = image): Promise<Repository> {
  const repository = memoryRepository({ referrersApi: true })
  await pushImage(repository, 'hello', 'v1')
  const request = {
    image: of,
    signer: alice,
    layout,
    recursive: false,
    upload: true,
    annotations: {},
    ...(terms === undefined ? {} : { terms }),
  }
  await signImageIn({ images: repository, signatures: repository }, request, { nowMs })
  return repository
}

function verify(
  repository: Repository,
  at = nowMs,
  more: { readonly checkName?: boolean; readonly image?: ImageReference } = {},
): Promise<ImageVerification> {
  return verifyImageIn({ images: repository, signatures: repository }, { image, policy: keyPolicy([alice]), nowMs: at, ...more })
}

describe.each(['bundle', 'legacy'] as const)('a signature with terms in the %s layout', (layout) => {
  it('holds until it expires, and says so', async () => {
    const repository = await signed(layout, { expiresMs: nowMs + 1000 })
    expect(await verify(repository)).toMatchObject({ ok: true, accepted: [{ evidence: { terms: { expiresMs: nowMs + 1000 } } }] })
    expect(await verify(repository, nowMs + 1000)).toMatchObject({ ok: false, failure: { code: 'signature_expired' } })
  })

  it('is bound to the name of the repository, or to another that was given', async () => {
    const own = await signed(layout, { name: true })
    expect(await verify(own, nowMs, { checkName: true })).toMatchObject({
      ok: true,
      accepted: [{ evidence: { terms: { name: 'memory.example/repo' } } }],
    })
    const other = await signed(layout, { name: 'registry.example/app' })
    expect(await verify(other, nowMs, { checkName: true })).toMatchObject({
      ok: false,
      failure: { code: 'name_mismatch', expected: 'memory.example/repo', found: 'registry.example/app' },
    })
    expect(await verify(other)).toMatchObject({ ok: true })
  })

  it('attack: one without a name is not accepted where names are checked', async () => {
    expect(await verify(await signed(layout, undefined), nowMs, { checkName: true })).toMatchObject({
      ok: false,
      failure: { code: 'name_mismatch', found: 'none' },
    })
  })

  it('attack: a copy under another name is told apart', async () => {
    const repository = await signed(layout, { name: true })
    const copy = parseReference('evil.example/copy:v1')
    expect(await verify(repository, nowMs, { checkName: true, image: copy })).toMatchObject({ failure: { code: 'name_mismatch' } })
    const [accepted] = (await verify(repository, nowMs, { image: copy })).accepted
    expect(accepted && nameWarning(accepted.evidence, copy)).toBe(
      'the signature was made for memory.example/repo, and this is evil.example/copy',
    )
  })

  it('does not take an annotation of the same name for a term', async () => {
    const repository = memoryRepository({ referrersApi: true })
    await pushImage(repository, 'hello', 'v1')
    const request = {
      image,
      signer: alice,
      layout,
      recursive: false,
      upload: true,
      annotations: { [termNames.expires]: '2099-01-01T00:00:00Z' },
    }
    const failure = await signImageIn({ images: repository, signatures: repository }, request).catch((thrown: CountersignError) => thrown)
    expect(failure).toMatchObject({ code: 'usage' })
  })
})

it('an image in a folder has no name of its own to be bound to', async () => {
  const folder: ImageReference = { place: { kind: 'layout', directory: 'x' }, tag: 'v1' }
  await expect(signed('bundle', { name: true }, folder)).rejects.toMatchObject({ code: 'usage' })
})
