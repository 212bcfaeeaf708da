/** How often a second something is done on one core, in this process: for what a service does without end. */
import { performance } from 'node:perf_hooks'

/** A rate and the least that is acceptable. */
export type Rate = {
  readonly name: string
  /** By CPU time of this process: one core, also while others use the machine. */
  readonly perCpuSecond: number
  readonly perSecond: number
  readonly target?: number
  readonly met: boolean
}

const windowMs = 250
const windows = 16

/** Repeats `work`, which does one thing each time, for four seconds after one of warming up; gives the best window of a quarter of a second. */
export async function rateOf(name: string, work: () => unknown, target?: number): Promise<Rate> {
  let perCpuSecond = 0
  let perSecond = 0
  for (let window = -4; window < windows; window++) {
    const startCpu = process.cpuUsage()
    const start = performance.now()
    let done = 0
    while (performance.now() - start < windowMs) {
      for (let index = 0; index < 20; index++) await work()
      done += 20
    }
    const { user, system } = process.cpuUsage(startCpu)
    if (window < 0) continue
    perCpuSecond = Math.max(perCpuSecond, (done * 1e6) / (user + system))
    perSecond = Math.max(perSecond, (done * 1e3) / (performance.now() - start))
  }
  return { name, perCpuSecond, perSecond, ...(target === undefined ? {} : { target }), met: perCpuSecond >= (target ?? 0) }
}

/** Rates as lines for people. */
export function rateLines(rates: readonly Rate[]): string {
  return rates
    .map(({ name, perCpuSecond, perSecond, target, met }) => {
      const goal = target === undefined ? '(none)' : `(≥ ${target}) ${met ? 'met' : 'MISSED'}`
      return `${name}: ${Math.round(perCpuSecond)} a CPU-second, ${Math.round(perSecond)} a second ${goal}`
    })
    .join('\n')
}
