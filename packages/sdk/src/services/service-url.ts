/** Addresses of services: a base URL and a path below it, which may already have a path of its own. */
import { CountersignError } from '@countersign/core/failure'

/** `path` (without a slash in front) under `base`, as clients of Sigstore join them. Throws `usage` when `base` is no http or https URL. */
export function serviceUrl(base: string, path: string): URL {
  const url = URL.parse(base)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '' || url.password !== '') {
    throw new CountersignError('usage', 'the address of a service is no URL', {
      expected: 'an http or https URL without user information',
      found: base.slice(0, 120).replace(/\/\/[^/@]*@/, '//…@'),
    })
  }
  url.search = ''
  url.hash = ''
  url.pathname = path === '' ? url.pathname : `${url.pathname.replace(/\/+$/, '')}/${path}`
  return url
}
