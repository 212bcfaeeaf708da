/** `/tuf`: the repository for clients, its metrics and its readiness. */
import { Gauge } from 'prom-client'
import type { Clock } from '../base/clock.ts'
import { expiryWarnings } from '../base/expiry.ts'
import type { Database } from '../base/database/database.ts'
import type { Service } from '../base/http/service.ts'
import type { TrustExpiry } from './expiring.ts'
import { sendRepositoryFile } from './repository/service.ts'
import { readState } from './repository/state.ts'

/** What the service is made of. */
export type TufServiceOptions = {
  readonly database: Database
  readonly clock: Clock
  readonly expiries: () => Promise<readonly TrustExpiry[]>
  /** Failed renewals since the last success. */
  readonly renewalFailures: () => number
  readonly close?: () => Promise<void>
}

/** Serves the repository under `/tuf`. */
export function tufService({ database, clock, expiries, renewalFailures, close }: TufServiceOptions): Service {
  return {
    name: 'tuf',
    prefix: '/tuf',
    routes: (app) => {
      app.get<{ Params: { '*': string } }>('/*', (request, reply) => sendRepositoryFile(database, request.params['*'], reply))
    },
    metrics: (registry) => {
      const ends: Gauge = new Gauge({
        name: 'countersign_trust_expires_timestamp_seconds',
        help: 'When a role of the TUF repository, or the certificate of an authority, ends',
        labelNames: ['name'],
        registers: [registry],
        collect: async () => {
          ends.reset()
          for (const { name, endsMs } of await expiries()) ends.set({ name }, endsMs / 1000)
        },
      })
      const failed: Gauge = new Gauge({
        name: 'countersign_trust_renewal_failures',
        help: 'Renewals of trust metadata that failed since the last that did not',
        registers: [registry],
        collect: () => failed.set(renewalFailures()),
      })
    },
    ready: async () => {
      const state = await readState(database)
      if (state === undefined) return { ok: false, detail: 'there is no TUF repository yet' }
      const ended = Object.entries(state.published).find(([, { metadata }]) => metadata.expiresMs < clock())
      if (ended !== undefined) return { ok: false, detail: `the ${ended[0]} of the TUF repository has expired` }
      const warnings = expiryWarnings(await expiries(), clock())
      return warnings.length === 0 ? { ok: true } : { ok: true, warnings }
    },
    ...(close === undefined ? {} : { close }),
  }
}
