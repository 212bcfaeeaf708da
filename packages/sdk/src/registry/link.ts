/** Pagination of the distribution-spec: `Link: <URL>; rel="next"` (RFC 8288). */
import { CountersignError } from '@countersign/core/failure'
import type { HttpResponse } from '../http/message.ts'

/**
 * The next page, or `undefined` on the last. Hostile: a link to another host would carry our credentials there, so only the registry's own
 * API is followed; anything else throws `registry_response_malformed`.
 */
export function nextPage(response: HttpResponse, from: URL, base: URL): URL | undefined {
  for (const field of response.headers['link'] ?? []) {
    if (field.length > 16_384) throw malformed(from)
    const target = nextOf(field)
    if (target === undefined) continue
    const url = URL.canParse(target, from.href) ? new URL(target, from) : undefined
    if (url !== undefined && url.host === base.host && base.protocol === 'https:') url.protocol = base.protocol
    if (url === undefined || url.origin !== base.origin || !url.pathname.startsWith('/v2/') || url.href === from.href) throw malformed(from)
    return url
  }
  return undefined
}

/** A field may list several links. */
function nextOf(field: string): string | undefined {
  for (const [, target, parameters] of field.matchAll(/<([^<>]*)>([^<]*)/g)) {
    if (/(?:^|[;\s])rel\s*=\s*"?next"?(?:[\s;,]|$)/i.test(parameters as string)) return target
  }
  return undefined
}

function malformed(from: URL): CountersignError {
  return new CountersignError('registry_response_malformed', `${from.host} links to a next page that is not its own`, {
    expected: `a page below /v2/ of ${from.host}`,
  })
}
