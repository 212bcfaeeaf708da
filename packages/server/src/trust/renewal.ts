/** Keeps trust from ending: every hour renews what is due, publishes what was left unpublished, and says what will end. */
import type { TufRole } from '@countersign/core/tuf/model'
import type { Leases } from '../base/leases/lease.ts'
import type { Clock } from '../base/clock.ts'
import { expiryWarnings, warningLog } from '../base/expiry.ts'
import type { TrustExpiry } from './expiring.ts'

/** What the renewal drives. */
export type RenewalOptions = {
  readonly clock: Clock
  readonly leases: Leases
  /** Renews; gives the roles that were. */
  readonly renew: () => Promise<readonly TufRole[]>
  /** Publishes what the registry says. */
  readonly publish: () => Promise<unknown>
  readonly expiries: () => Promise<readonly TrustExpiry[]>
  /** Says what happened: the log of the process. */
  readonly log: {
    readonly info: (fields: object, text: string) => void
    readonly warn: (fields: object, text: string) => void
    readonly error: (fields: object, text: string) => void
  }
}

/** A running renewal. `failures` counts since the last success. */
export type Renewal = { readonly tick: () => Promise<void>; readonly failures: () => number; readonly stop: () => Promise<void> }

const hourMs = 60 * 60 * 1000
const retryMs = 60 * 1000
const leaseName = 'trust-renew'

/** Starts at once, then every hour; after a failure every minute. One process of several does the work, all of them warn, at the start and every day. */
export function startRenewal(options: RenewalOptions): Renewal {
  let [failures, stopped] = [0, false]
  const say = warningLog(options.log, 'trust ends')
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const once = async (): Promise<void> => {
    const { leases, renew, publish, log } = options
    try {
      const lease = await leases.take(leaseName, 5 * retryMs)
      if (lease !== undefined) {
        const roles = await renew()
        if (roles.length > 0) log.info({ roles }, 'trust metadata renewed')
        await publish()
        await leases.release(lease)
      }
      failures = 0
    } catch (cause) {
      failures++
      log.error({ err: cause, failures }, 'trust metadata not renewed')
    }
    await warn(options, say)
  }
  const tick = (): Promise<void> => (running = running.then(once))
  const next = (): void => {
    if (stopped) return
    timer = setTimeout(() => void tick().finally(next), failures === 0 ? hourMs : retryMs)
    timer.unref()
  }
  void tick().finally(next)
  return {
    tick,
    failures: () => failures,
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await running
    },
  }
}

async function warn({ expiries, clock, log }: RenewalOptions, say: ReturnType<typeof warningLog>): Promise<void> {
  try {
    say(expiryWarnings(await expiries(), clock()))
  } catch (cause) {
    log.error({ err: cause }, 'expiry of trust not read')
  }
}
