/** Lists tags (distribution-spec 1.1, "Listing Tags"). */
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { readBody } from '../http/body.ts'
import { describeRequest } from '../http/failures.ts'
import type { Answer } from './endpoint.ts'
import { nextPage } from './link.ts'
import { registryLimits, unexpected, type RepositoryContext } from './repository-context.ts'

const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/

/** Every tag, page by page. A repository that does not exist has none. Throws `limit_exceeded` beyond 10,000 pages. */
export async function* listTags(context: RepositoryContext): AsyncIterable<string> {
  let target: string | URL | undefined = 'tags/list?n=1000'
  for (let page = 0; target !== undefined; page++) {
    if (page === registryLimits.tagPages)
      throw new CountersignError('limit_exceeded', `${context.session.name} has more tags than will be read`)
    const answer: Answer = await context.session.send({ method: 'GET', target, actions: 'pull' })
    if (page === 0 && answer.response.status === 404) {
      answer.response.discard()
      return
    }
    if (answer.response.status !== 200) throw await unexpected(answer)
    yield* readTags(answer, await readBody(answer.response, answer.request, registryLimits.page))
    target = nextPage(answer.response, answer.request.url, context.session.base())
  }
}

function readTags(answer: Answer, bytes: Uint8Array): readonly string[] {
  const what = (): string => `${describeRequest(answer.request)}: the list of tags`
  const { value } = parseJsonAs('registry_response_malformed', what, bytes)
  const tags = typeof value === 'object' && value !== null && 'tags' in value ? (value.tags ?? []) : undefined
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string' && tagPattern.test(tag))) return tags as string[]
  throw new CountersignError('registry_response_malformed', `${what()} is malformed`)
}
