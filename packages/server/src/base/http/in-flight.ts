/**
 * How many requests a service works on at once. Under more load than it can bear, the latency of what it accepts stays bounded by refusing the rest
 * while that costs nothing: before their bodies are read.
 */
import type { EarlyRefusal, Service } from './service.ts'

/** A bound on requests that are worked on. */
export type InFlight = {
  /** For the service's own `refuseAtOnce`: the refusal of one more. */
  readonly refuseAtOnce: NonNullable<Service['refuseAtOnce']>
  /** Does the work; with as many at work already, gives `beyond` instead. */
  readonly run: <T>(work: () => Promise<T>, beyond: () => T | Promise<T>) => Promise<T>
}

/** What is bounded. */
export type InFlightOptions = {
  readonly most: number
  /** Paths to which requests are counted, with the prefix of the service. */
  readonly paths: readonly string[]
  readonly refusal: EarlyRefusal
  /** Told of each refusal that was made early. */
  readonly refused?: () => void
}

/** Makes the bound for requests that POST. */
export function inFlightLimit({ most, paths, refusal, refused }: InFlightOptions): InFlight {
  let inFlight = 0
  return {
    refuseAtOnce: (method, url) => {
      if (inFlight < most || method !== 'POST' || !paths.includes(url)) return undefined
      refused?.()
      return refusal
    },
    run: async (work, beyond) => {
      if (inFlight >= most) return beyond()
      inFlight++
      try {
        return await work()
      } finally {
        inFlight--
      }
    },
  }
}
