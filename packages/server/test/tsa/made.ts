/** A timestamp authority with fresh keys and a clock of the test's. */
import { memoryKey } from '@countersign/testkit/memory-keys'
import Fastify, { type FastifyInstance } from 'fastify'
import { Registry } from 'prom-client'
import type { RoleKey } from '../../src/base/keys/role-key.ts'
import { createTimestampAuthority, type TimestampAuthority } from '../../src/tsa/authority.ts'
import { createTimestampCertificate, createTimestampRoot } from '../../src/tsa/certificates.ts'
import type { ClockVerdict } from '../../src/tsa/clock/clock-watch.ts'
import { timestampService } from '../../src/tsa/service.ts'

/** Noon of a day in 2026, and three quarters of a second. */
export const noonMs: number = Date.UTC(2026, 5, 1, 12, 0, 0, 750)

/** An authority, its chain (leaf, root), and the switch of its clock. */
export type MadeTsa = {
  readonly authority: TimestampAuthority
  readonly chain: readonly Uint8Array[]
  readonly key: RoleKey
  clock: ClockVerdict
}

/** Makes an authority whose clock stands at `nowMs`. */
export async function makeTsa(nowMs: number = noonMs): Promise<MadeTsa> {
  const [rootKey, key] = [memoryKey('tsa-root', 'ec-p384'), memoryKey('tsa-1')]
  const names = { organization: 'Test', nowMs }
  const root = await createTimestampRoot(rootKey, { ...names, commonName: 'Test timestamp root' })
  const leaf = await createTimestampCertificate(key, { ...names, commonName: 'Test timestamps' }, { certificate: root, key: rootKey })
  const chain = [leaf, root]
  const made = { chain, key, clock: { ok: true, nowMs } as ClockVerdict }
  return Object.assign(made, { authority: createTimestampAuthority({ key, chain, clock: () => made.clock }) })
}

/** The service on an instance of Fastify, and what it counted by result. */
export type ServedTsa = {
  readonly app: FastifyInstance
  readonly counted: () => Promise<Readonly<Record<string, number>>>
  readonly registry: Registry
}

/** Serves an authority under `/tsa`. */
export async function serveTsa(made: MadeTsa): Promise<ServedTsa> {
  const registry = new Registry()
  const service = timestampService({ authority: () => made.authority, clock: () => made.clock })
  service.metrics?.(registry)
  const app = Fastify()
  await app.register(async (scope) => service.routes(scope), { prefix: service.prefix })
  const counted = async (): Promise<Readonly<Record<string, number>>> => {
    const metric = await registry.getSingleMetric('countersign_timestamps_total')?.get()
    return Object.fromEntries(metric?.values.map(({ labels, value }) => [String(labels['result']), value]) ?? [])
  }
  return { app, counted, registry }
}
