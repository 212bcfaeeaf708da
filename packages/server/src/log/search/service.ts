/** Search over all logs, which Rekor v2 does not have: what was signed, by which key, by whom. It finds; it proves nothing. */
import { CountersignError } from '@countersign/core/failure'
import { allowAnyOrigin } from '../../base/http/request.ts'
import type { Service } from '../../base/http/service.ts'
import { findEntries, readSearch, type SearchSource } from './find.ts'

/** One search reads as many proofs as it finds entries. */
const maxAtOnce = 16

/** `GET /rekor2/search?digest=&key=&identity=&email=`: entries of every log for which all of these hold. */
export function searchService(source: SearchSource): Service {
  let searching = 0
  return {
    name: 'search',
    prefix: '/rekor2/search',
    routes: (app) => {
      allowAnyOrigin(app, ['GET', 'HEAD'])
      app.get('/', async (request, reply) => {
        const answer = reply.header('cache-control', 'no-store').type('application/json')
        const keys = readSearch(request.query as Readonly<Record<string, unknown>>)
        if (typeof keys === 'string') return answer.code(400).send(JSON.stringify({ code: 3, message: keys, details: [] }))
        if (searching >= maxAtOnce)
          throw new CountersignError('log_overloaded', 'too many searches at once', { hint: 'Try again in a second.' })
        searching++
        try {
          return await answer.send(JSON.stringify(await findEntries(source, keys)))
        } finally {
          searching--
        }
      })
    },
  }
}
