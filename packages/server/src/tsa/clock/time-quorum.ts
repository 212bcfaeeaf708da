/** What several time sources say together: Marzullo's algorithm, as NTP chooses its truechimers (RFC 5905 §11.2.1). */

/** One answer of one source. */
export type TimeSample = {
  readonly source: string
  /** How much this machine's clock is behind the source, milliseconds; negative when it is ahead. */
  readonly offsetMs: number
  /** How far that may be off, either way: half of the way there and back, and what the source says of itself. */
  readonly errorMs: number
}

/** What they agree on, and which of them disagree; or that too few agree. */
export type TimeQuorum =
  | { readonly agreed: true; readonly offsetMs: number; readonly outliers: readonly string[] }
  | { readonly agreed: false; readonly largest: number }

/**
 * The offset that the largest number of sources allow, when they are at least `needed`. Hostile: a source that lies is outvoted as long as
 * fewer than `needed` lie together; one that claims a huge error agrees with all and moves nothing, since the narrowest interval decides.
 */
export function agreeOnTime(samples: readonly TimeSample[], needed: number): TimeQuorum {
  const low = (sample: TimeSample): number => sample.offsetMs - sample.errorMs
  const high = (sample: TimeSample): number => sample.offsetMs + sample.errorMs
  let best: readonly TimeSample[] = []
  // The largest set of intervals that share a point shares the lower end of one of them.
  for (const { offsetMs, errorMs } of samples) {
    const point = offsetMs - errorMs
    const around = samples.filter((sample) => low(sample) <= point && point <= high(sample))
    if (around.length > best.length) best = around
  }
  if (best.length < needed || best.length === 0) return { agreed: false, largest: best.length }
  const [from, to] = [Math.max(...best.map(low)), Math.min(...best.map(high))]
  const outliers = samples.filter((sample) => !best.includes(sample)).map(({ source }) => source)
  return { agreed: true, offsetMs: (from + to) / 2, outliers }
}

/** More than half of the sources that are configured, whether they answer or not. */
export function majorityOf(sources: number): number {
  return Math.floor(sources / 2) + 1
}
