/**
 * Whether this machine's clock may be vouched for. A timestamp authority that stamps with a wrong clock proves what is not true, for as long as
 * its certificate is trusted; so it stops when it cannot tell.
 *
 * Two watchers: the monotonic clock, which nobody sets, against the wall clock, at every single timestamp; and time sources of the network,
 * where some are configured, every minute. A machine that slept, a virtual machine that was moved, an administrator or attacker who sets the clock:
 * the wall clock leaves the monotonic one, and stamping ends until the sources confirm the time (or, without sources, until the clock is
 * set back, or the operator confirms it).
 */
import type { Clock } from '../../base/clock.ts'
import { agreeOnTime, majorityOf, type TimeSample } from './time-quorum.ts'

/** Asks one time source; rejects when it does not answer. */
export type TimeSource = { readonly name: string; readonly ask: () => Promise<TimeSample> }

/** What is watched, and how strictly. */
export type ClockWatchOptions = {
  readonly wall: Clock
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic: () => number
  /** None: only the monotonic clock watches. */
  readonly sources: readonly TimeSource[]
  /** How far the clock may be off; default 500 ms. Accuracy of the timestamps is 1 s. */
  readonly toleranceMs?: number
  /** How long the word of the sources counts while they do not answer or disagree; default 15 minutes. */
  readonly confirmedForMs?: number
  /** How many sources must agree; default more than half of them. */
  readonly quorum?: number
  /** Something was signed here at this time, Unix milliseconds: a clock that is before it was set back while nobody watched. */
  readonly notBeforeMs?: number
}

/** The time, or why nobody may rely on it. */
export type ClockVerdict = { readonly ok: true; readonly nowMs: number } | { readonly ok: false; readonly detail: string }

/** What the sources said last, for metrics and people. */
export type ClockReport = {
  /** By how much the clock is behind what the sources agree on; absent while they do not. */
  readonly offsetMs?: number
  readonly outliers: readonly string[]
  readonly unreachable: readonly string[]
}

/** Watches the clock. */
export type ClockWatch = {
  /** For every timestamp: the time to put into it. Costs two readings of a clock. */
  readonly check: () => ClockVerdict
  /** Asks the sources; to be called every minute, and never fails. Without sources it follows the small corrections that a clock gets. */
  readonly poll: () => Promise<ClockReport>
  /** The operator says that the clock is right now. Sources, where configured, have the last word. */
  readonly confirm: () => void
}

type State = {
  /** Readings of both clocks at a moment at which the wall clock was held for right. */
  wallMs: number
  monotonicMs: number
  /** Monotonic time of the last agreement of the sources. */
  confirmedMs?: number
  /** What the sources said against the clock. */
  problem?: string
}

/** Starts to watch: without sources the clock is held for right at this moment, with sources only once they agree. */
export function createClockWatch(options: ClockWatchOptions): ClockWatch {
  const { wall, monotonic, sources, toleranceMs = 500, confirmedForMs = 15 * 60_000, notBeforeMs = 0 } = options
  const { quorum = majorityOf(sources.length) } = options
  const state: State = { wallMs: wall(), monotonicMs: monotonic() }
  const anchor = (): void => {
    state.wallMs = wall()
    state.monotonicMs = monotonic()
  }
  const jumpMs = (nowMs: number, monotonicMs: number): number => nowMs - state.wallMs - (monotonicMs - state.monotonicMs)
  return {
    check: () => {
      const [nowMs, monotonicMs] = [wall(), monotonic()]
      if (state.problem !== undefined) return { ok: false, detail: state.problem }
      const jump = jumpMs(nowMs, monotonicMs)
      if (Math.abs(jump) > toleranceMs) return { ok: false, detail: jumpText(jump) }
      if (nowMs < notBeforeMs - toleranceMs) return { ok: false, detail: 'the clock is before what was signed here already' }
      if (sources.length > 0) {
        if (state.confirmedMs === undefined) return { ok: false, detail: 'the time sources have not confirmed the clock yet' }
        const silentMs = monotonicMs - state.confirmedMs
        if (silentMs > confirmedForMs) return { ok: false, detail: `no time sources agreed for ${Math.round(silentMs / 1000)} s` }
      }
      return { ok: true, nowMs }
    },
    poll: async () => {
      if (sources.length === 0) {
        // What corrects a clock does it in small steps, which add up over months.
        if (Math.abs(jumpMs(wall(), monotonic())) <= toleranceMs) anchor()
        return { outliers: [], unreachable: [] }
      }
      const { samples, unreachable } = await askAll(sources)
      const said = agreeOnTime(samples, quorum)
      if (!said.agreed) return { outliers: [], unreachable }
      if (Math.abs(said.offsetMs) > toleranceMs) {
        state.problem = `the clock is ${Math.round(Math.abs(said.offsetMs))} ms ${said.offsetMs > 0 ? 'behind' : 'ahead of'} the time sources`
      } else {
        delete state.problem
        anchor()
        state.confirmedMs = state.monotonicMs
      }
      return { offsetMs: said.offsetMs, outliers: said.outliers, unreachable }
    },
    confirm: () => {
      if (sources.length === 0) anchor()
    },
  }
}

function jumpText(jumpMs: number): string {
  return `the clock was set ${jumpMs > 0 ? 'forward' : 'back'} by ${Math.round(Math.abs(jumpMs))} ms, or the machine slept`
}

async function askAll(sources: readonly TimeSource[]): Promise<{ samples: readonly TimeSample[]; unreachable: readonly string[] }> {
  const answers = await Promise.allSettled(sources.map((source) => source.ask()))
  return {
    samples: answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])),
    unreachable: sources.filter((_, i) => answers[i]?.status === 'rejected').map(({ name }) => name),
  }
}
