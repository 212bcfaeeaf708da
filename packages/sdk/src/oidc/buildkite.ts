/** Buildkite: a token of the running job, from the agent's API. */
import { utf8 } from '@countersign/core/bytes'
import { nonEmptyText } from '@countersign/core/json/shape'
import { askService, refusedBy, type ServiceRequest } from '../services/exchange.ts'
import { serviceUrl } from '../services/service-url.ts'
import type { AmbientPlace } from './ambient.ts'
import { answerMembers } from './json-answer.ts'

const defaultEndpoint = 'https://agent.buildkite.com/v3'

/** Asks the agent's API as the job. `undefined` outside of a job. */
export async function buildkiteToken({ client, environment, audience }: AmbientPlace): Promise<string | undefined> {
  const token = environment['BUILDKITE_AGENT_ACCESS_TOKEN'] ?? ''
  const job = environment['BUILDKITE_JOB_ID'] ?? ''
  if (token === '' || !/^[A-Za-z0-9-]{1,64}$/.test(job)) return undefined
  const request: ServiceRequest = {
    service: "Buildkite's agent API",
    method: 'POST',
    url: serviceUrl(environment['BUILDKITE_AGENT_ENDPOINT'] ?? defaultEndpoint, `jobs/${job}/oidc/tokens`),
    headers: { authorization: `Token ${token}`, 'content-type': 'application/json' },
    body: utf8(JSON.stringify({ audience })),
    repeatable: true,
  }
  const answer = await askService(client, request)
  if (answer.status !== 200 && answer.status !== 201) throw refusedBy(request, answer)
  return nonEmptyText(answerMembers(answer)('token'))
}
