/**
 * A crowd that comes at once is let in before it is served.
 *
 * The event loop takes one connection in each turn, and a turn lasts as long as the requests that it serves. Whoever came first would be served
 * many times over while the last of two thousand stands at the door: seconds, where all of them together could be let in in a tenth of one.
 */
import { performance } from 'node:perf_hooks'
import type { Server } from 'node:http'

/** Takes what serves a request, and calls it when nobody stands at the door any more: at once, as a rule. */
export type CrowdFirst = (serve: () => void) => void

/** However many come, nobody who is in waits longer: ten thousand connections take half a second. */
const mostMs = 250

/** Makes one for the connections of a server. */
export function crowdFirst(server: Pick<Server, 'on'>): CrowdFirst {
  let came = false
  let since = 0
  let waiting: (() => void)[] = []
  server.on('connection', () => (came = true))
  const look = (): void => {
    if (came && performance.now() - since < mostMs) {
      came = false
      setImmediate(look)
      return
    }
    const served = waiting
    waiting = []
    for (const serve of served) serve()
  }
  return (serve) => {
    if (waiting.length === 0) {
      if (!came) return serve()
      since = performance.now()
      setImmediate(look)
    }
    waiting.push(serve)
  }
}
