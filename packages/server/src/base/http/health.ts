/** `/healthz`: the process runs. `/readyz`: every service can serve, so that traffic may come. */
import type { FastifyInstance } from 'fastify'
import { asFailureText } from './problem.ts'
import type { Readiness, Service } from './service.ts'

const askMs = 5000

/** Adds both routes. `draining` is true from the moment on at which the process is to stop. */
export function addHealth(app: FastifyInstance, services: readonly Service[], draining: () => boolean): void {
  app.get('/healthz', async (_request, reply) => reply.header('cache-control', 'no-store').send({ ok: true }))
  app.get('/readyz', async (_request, reply) => {
    const states = await Promise.all(services.map(async (service) => [service.name, await stateOf(service)] as const))
    const ok = !draining() && states.every(([, state]) => state.ok)
    return reply
      .code(ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ ok, ...(draining() ? { detail: 'stopping' } : {}), services: Object.fromEntries(states) })
  })
}

/** A service that does not answer in time is not ready. */
async function stateOf(service: Service): Promise<Readiness> {
  if (service.ready === undefined) return { ok: true }
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Readiness>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: `no answer within ${askMs / 1000} seconds` }), askMs)
  })
  try {
    return await Promise.race([service.ready(), late])
  } catch (failure) {
    return { ok: false, detail: asFailureText(failure) }
  } finally {
    clearTimeout(timer)
  }
}
