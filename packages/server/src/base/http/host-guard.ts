/** Whom a request was meant for: the guard of listeners that only this machine reaches. */
import { isLoopback } from './address.ts'

/**
 * Whether a `Host` header names this listener: `localhost`, an address of loopback, or one of `names` (host names without port, in any case).
 *
 * Hostile: a page of another site, whose name resolves to 127.0.0.1 the second time it is asked for (DNS rebinding), is of the same origin as
 * this listener for the browser that shows it, and could read and post whatever a program of this machine can. Its name is in the header. An
 * address cannot be rebound, and what sends no header (HTTP/1.0) is no browser.
 */
export function hostGuard(names: readonly string[]): (header: string | undefined) => boolean {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return (header) => {
    if (header === undefined) return true
    const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::[0-9]{1,5})?$/.exec(header)
    const host = (match?.[1] ?? match?.[2])?.toLowerCase()
    return host !== undefined && (isLoopback(host) || known.has(host))
  }
}
