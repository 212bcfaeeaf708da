/** Whole bundles verified one after another on one core, read from their bytes each time, as a service verifies them. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseTrustedRoot } from '@countersign/core/trust/trusted-root'
import { createCertificateCache, type CertificateCache } from '@countersign/core/verify/certificate-cache'
import type { VerifyPolicy } from '@countersign/core/verify/policy'
import { verifyBundle, type VerifyRequest } from '@countersign/core/verify/verify'
import { signBlob } from '@countersign/sdk/blob/sign'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import { keyPolicy, testSigner } from '@countersign/testkit/image-fixture'
import { vectorsFolder } from '@countersign/testkit/vectors'
import { rateOf, type Rate } from './rates.ts'

const nowMs = Date.UTC(2026, 10, 20)
const samples = resolve(import.meta.dirname, 'samples')
const required = { kind: 'required' } as const
/** The names of who signed are not what is measured. */
const keyless: VerifyPolicy = {
  signer: { kind: 'any_certified_signer_UNSAFE', reason: 'benchmark' },
  content: { kind: 'any_content' },
  log: required,
  sct: required,
  signedTimestamp: { kind: 'not_demanded' },
  claims: required,
}

/** A bundle of which a verification is repeated. */
type Sample = Omit<VerifyRequest, 'entity'> & { readonly bundle: Uint8Array }

/** Keyless bundles with and without a cache, one with a timestamp, and one signed with a key. */
export async function bundleRates(): Promise<readonly Rate[]> {
  const real = [own('log-v1', join(samples, 'trusted_root.json')), ...recorded()]
  const stamped = own('log-v2', join(samples, 'log-v2', 'trusted_root.json'), { ...keyless, signedTimestamp: required })
  const keyed = await signedWithKey()
  const what = `chain, SCT, log promise, checkpoint, inclusion; ${real.length} bundles`
  return [
    await rateOf(`keyless bundles (${what}), warm cache`, verification(real, createCertificateCache()), 4_000),
    await rateOf('the same, no cache', verification(real)),
    await rateOf('keyless bundle with an RFC 3161 timestamp, warm cache', verification([stamped], createCertificateCache())),
    await rateOf('bundle signed with a key', verification([keyed]), 4_000),
  ]
}

function verification(list: readonly Sample[], certificateCache?: CertificateCache): () => Promise<void> {
  let next = 0
  return async () => {
    const { bundle, ...request } = list[next++ % list.length] as Sample
    const result = await verifyBundle(bundle, certificateCache === undefined ? request : { ...request, certificateCache })
    if (!result.ok) throw new CountersignError('internal', `a sample does not verify: ${result.code}: ${result.detail}`)
  }
}

/** The samples of this folder, which are always there. */
function own(name: string, root: string, policy = keyless): Sample {
  const artifact = new Uint8Array(readFileSync(join(samples, 'a.txt')))
  const bundle = readFileSync(join(samples, name, 'bundle.sigstore.json'))
  return { bundle, artifact: { kind: 'bytes', bytes: artifact }, policy, trustedRoot: rootIn(root), nowMs, primitives: nodePrimitives }
}

/** Bundles v0.3 of the Sigstore conformance suite, where they are beside the checkout. */
function recorded(): readonly Sample[] {
  const folder = vectorsFolder()
  if (folder === undefined) return []
  const suite = join(folder, 'sigstore-conformance')
  const root = join(folder, 'sigstore-public-good', 'trusted_root.json')
  const cases = ['happy-path-v0.3', 'happy-path-v0.3-new-mediaType', 'happy-path-intoto-in-dsse-v3']
  return cases.flatMap((name): readonly Sample[] => {
    const place = join(suite, 'bundle-verify', name)
    if (!existsSync(place)) return []
    const file = existsSync(join(place, 'artifact')) ? join(place, 'artifact') : join(suite, 'a.txt')
    const trusted = existsSync(join(place, 'trusted_root.json')) ? join(place, 'trusted_root.json') : root
    const artifact: VerifyRequest['artifact'] = { kind: 'bytes', bytes: new Uint8Array(readFileSync(file)) }
    const bundle = readFileSync(join(place, 'bundle.sigstore.json'))
    return [{ bundle, artifact, policy: keyless, trustedRoot: rootIn(trusted), nowMs, primitives: nodePrimitives }]
  })
}

const roots = new Map<string, ReturnType<typeof parseTrustedRoot>>()

function rootIn(path: string): ReturnType<typeof parseTrustedRoot> {
  const known = roots.get(path) ?? parseTrustedRoot(readFileSync(path))
  roots.set(path, known)
  return known
}

async function signedWithKey(): Promise<Sample> {
  const signer = testSigner()
  const bytes = utf8('the artifact')
  async function* open(): AsyncIterable<Uint8Array> {
    yield bytes
  }
  const { bundle } = await signBlob({ name: 'artifact', open }, signer)
  return { bundle, artifact: { kind: 'bytes', bytes }, policy: keyPolicy([signer]), nowMs, primitives: nodePrimitives }
}
