/** One run of one verb: what it was asked, and the world that it may touch. */
import type { Terminal } from '../terminal/terminal.ts'
import type { FlagValues } from './flag-values.ts'

/** What a body gets. */
export type Invocation = {
  readonly flags: FlagValues
  /** Files, images, keys … as typed. */
  readonly subjects: readonly string[]
  readonly terminal: Terminal
  /** For the verbs that say it: `-d`. */
  readonly verbose: boolean
  /** True when `--report` takes over stdout; the body need not print its result. */
  readonly reportOnStdout: boolean
  /** True when any `--report` is asked for: only then the full evidence of many results is kept. */
  readonly reportAsked: boolean
}
