/** The clock of the machine, as its operator vouches for it. */
import { hostname } from 'node:os'
import { recordConfirmation } from '../tsa/clock/confirmations.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'

/** Says that the clock of this machine is right: a server that runs here and has no time sources stamps again within seconds. Audited. */
export async function confirmClock({ platform }: OpenInstallation, { name }: Operator): Promise<{ readonly sources: number }> {
  const { database, clock, audit, configuration } = platform
  const now = clock()
  await recordConfirmation(database, hostname(), now)
  const detail = { time: new Date(now).toISOString() }
  await audit.record({
    action: 'tsa.clock_confirmed',
    subject: hostname(),
    actor: `operator ${name}`,
    from: 'local',
    outcome: 'done',
    detail,
  })
  return { sources: configuration.tsa.clockSources.length }
}
