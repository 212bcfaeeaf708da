/** What `/metrics` tells Prometheus of requests and of the process; services add their own. */
import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client'
import type { Service } from './service.ts'

/** Counts every answer of the process, and serves the registry under `/metrics`. */
export function addMetrics(app: FastifyInstance, services: readonly Service[]): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'countersign_http_requests_total',
    help: 'Answers by service, route and status',
    labelNames: ['service', 'method', 'route', 'status'],
    registers: [registry],
  })
  const durations = new Histogram({
    name: 'countersign_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the end of its answer',
    labelNames: ['service', 'method', 'route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  const serviceOf = serviceNames(services)
  app.addHook('onResponse', (request, reply, done) => {
    // The pattern, never the path: what a caller makes up must not become a label.
    const route = request.routeOptions.url ?? 'none'
    const labels = { service: serviceOf(route), method: request.method, route }
    requests.inc({ ...labels, status: String(reply.statusCode) })
    durations.observe(labels, reply.elapsedTime / 1000)
    done()
  })
  app.get('/metrics', async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()))
  for (const service of services) service.metrics?.(registry)
  return registry
}

/** The service that has the longest prefix of a route; remembered, since routes are few. */
function serviceNames(services: readonly Service[]): (route: string) => string {
  const known = new Map<string, string>()
  const byLength = services.toSorted((a, b) => b.prefix.length - a.prefix.length)
  return (route) => {
    const found = known.get(route)
    if (found !== undefined) return found
    const name = byLength.find(({ prefix }) => prefix !== '' && (route === prefix || route.startsWith(`${prefix}/`)))?.name ?? 'process'
    known.set(route, name)
    return name
  }
}
