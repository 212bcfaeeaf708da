/** Faults that a test registry plays on request: what a broken, throttled or hostile registry does. */

/** What goes wrong. */
export type FaultAction =
  /** Answers with this status instead of doing anything. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
    }
  /** Does what was asked, then answers with this status: the caller cannot know. */
  | { readonly kind: 'status_after'; readonly status: number }
  /** Answers 200 with HTML. */
  | { readonly kind: 'garbage'; readonly contentType?: string }
  /** Answers late. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Announces the whole body, sends part of it and ends the connection. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Announces no length and sends without end. */
  | { readonly kind: 'endless' }
  /** Flips a bit of the body. */
  | { readonly kind: 'corrupt' }
  /** Ends the connection before doing anything. */
  | { readonly kind: 'reset' }
  /** Does what was asked, then ends the connection. */
  | { readonly kind: 'reset_after' }
  /** Sends the body gzip-encoded, though nobody accepts that. */
  | { readonly kind: 'gzip' }
  /** Adds or replaces header fields; an empty value removes the field. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string>> }
  /** Answers with bytes that are not HTTP. */
  | { readonly kind: 'not_http' }

/** A fault and the requests that it befalls. */
export type Fault = {
  /** Path with query, as in `/v2/app/referrers/sha256:…`. */
  readonly match: { readonly method?: string; readonly path: RegExp }
  /** How many requests; default all. */
  readonly times?: number
  readonly action: FaultAction
}

/** Hands out faults to requests. */
export type FaultPlan = {
  readonly add: (fault: Fault) => void
  readonly clear: () => void
  readonly take: (method: string, path: string) => FaultAction | undefined
}

/** Makes a plan without faults. The last fault added that matches a request is the one that befalls it. */
export function createFaultPlan(): FaultPlan {
  let faults: { readonly fault: Fault; left: number }[] = []
  return {
    add: (fault) => faults.unshift({ fault, left: fault.times ?? Infinity }),
    clear: () => {
      faults = []
    },
    take: (method, path) => {
      const hit = faults.find(({ fault, left }) => left > 0 && (fault.match.method ?? method) === method && fault.match.path.test(path))
      if (hit === undefined) return undefined
      hit.left--
      return hit.fault.action
    },
  }
}
