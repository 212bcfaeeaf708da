/**
 * The referrers API (distribution-spec 1.1, "Listing Referrers").
 *
 * Which answers mean that a registry has no such API: 404, 405 and 501 name no route or method; 400 and 406 are what some older registries say to a
 * route that they take for something else, and cosign and go-containerregistry turn to the fallback tag on them. Every other answer leaves the
 * question open and throws: 401, 403, 429, 5xx, and a 200 that is no image index. An open question is never "no signature".
 */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseManifest } from '@countersign/core/oci/manifest'
import type { Descriptor } from '@countersign/core/oci/model'
import { againWhenBroken, readBody } from '../http/body.ts'
import { describeRequest } from '../http/failures.ts'
import { contentType } from '../http/message.ts'
import type { Answer } from './endpoint.ts'
import { nextPage } from './link.ts'
import type { ReferrersAnswer } from './repository.ts'
import { registryLimits, unexpected, type RepositoryContext } from './repository-context.ts'

const indexType = 'application/vnd.oci.image.index.v1+json'
const absent: ReadonlySet<number> = new Set([400, 404, 405, 406, 501])

/** All referrers of a subject, all pages, each digest once. Throws `limit_exceeded` beyond 10,000 or 200 pages. */
export async function listReferrers(context: RepositoryContext, subject: Digest): Promise<ReferrersAnswer> {
  const found = new Map<Digest, Descriptor>()
  let target: string | URL | undefined = `referrers/${subject}`
  for (let page = 0; target !== undefined; page++) {
    if (page === registryLimits.referrerPages || found.size > registryLimits.referrers) throw tooMany(context, subject)
    const from: string | URL = target
    const read: Page | Unsupported = await againWhenBroken(() => readPage(context, from, page === 0))
    if (!('manifests' in read)) return read
    for (const descriptor of read.manifests) found.set(descriptor.digest, descriptor)
    target = read.next
  }
  if (found.size > registryLimits.referrers) throw tooMany(context, subject)
  return { kind: 'listed', manifests: [...found.values()] }
}

type Unsupported = Extract<ReferrersAnswer, { kind: 'unsupported' }>
type Page = { readonly manifests: readonly Descriptor[]; readonly next: URL | undefined }

/** One page; or what the first one says, that there is no such API. */
async function readPage(context: RepositoryContext, target: string | URL, first: boolean): Promise<Page | Unsupported> {
  const answer = await context.session.send({ method: 'GET', target, actions: 'pull', headers: { accept: indexType } })
  if (first && absent.has(answer.response.status)) {
    answer.response.discard()
    const bare = answer.response.status === 404 && !contentType(answer.response).endsWith('json')
    return bare ? { kind: 'unsupported', noRoute: true } : { kind: 'unsupported' }
  }
  const manifests = await readIndex(answer)
  return { manifests, next: nextPage(answer.response, answer.request.url, context.session.base()) }
}

async function readIndex(answer: Answer): Promise<readonly Descriptor[]> {
  if (answer.response.status !== 200) throw await unexpected(answer)
  const what = `${describeRequest(answer.request)}: the list of referrers`
  const found = contentType(answer.response)
  if (found !== indexType) {
    answer.response.discard()
    throw new CountersignError('registry_response_malformed', `${what} is no image index`, {
      expected: indexType,
      found: found.slice(0, 120),
    })
  }
  const bytes = await readBody(answer.response, answer.request, registryLimits.page)
  try {
    const manifest = parseManifest(bytes, indexType)
    if (manifest.kind === 'index') return manifest.manifests
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause
    throw new CountersignError('registry_response_malformed', `${what} is malformed: ${cause.message}`, { cause })
  }
  throw new CountersignError('registry_response_malformed', `${what} is an image`)
}

function tooMany(context: RepositoryContext, subject: Digest): CountersignError {
  return new CountersignError('limit_exceeded', `${context.session.name}@${subject} has more referrers than will be read`, {
    expected: `at most ${registryLimits.referrers} in ${registryLimits.referrerPages} pages`,
  })
}
