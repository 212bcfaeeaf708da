/** GitHub Actions: a token of the running job (permission `id-token: write`). */
import { nonEmptyText } from '@countersign/core/json/shape'
import { askService, refusedBy, type ServiceRequest } from '../services/exchange.ts'
import { serviceUrl } from '../services/service-url.ts'
import type { AmbientPlace } from './ambient.ts'
import { answerMembers } from './json-answer.ts'

/** Asks the address that the job was given. `undefined` outside of a job, and in one without the permission. */
export async function githubToken({ client, environment, audience }: AmbientPlace): Promise<string | undefined> {
  const address = environment['ACTIONS_ID_TOKEN_REQUEST_URL']
  const bearer = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
  if (address === undefined || bearer === undefined || address === '' || bearer === '') return undefined
  const url = serviceUrl(address, '')
  for (const [name, value] of new URL(address).searchParams) url.searchParams.append(name, value)
  url.searchParams.set('audience', audience)
  const request: ServiceRequest = {
    service: 'the token service of GitHub Actions',
    method: 'GET',
    url,
    headers: { authorization: `Bearer ${bearer}` },
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status !== 200) throw refusedBy(request, answer)
  return nonEmptyText(answerMembers(answer)('value'))
}
