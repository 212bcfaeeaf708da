/** What a verb is: data that help, completion, the profile and the parser all read; the body stays behind `import()`. */
import type { Invocation } from './invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** How the value of a flag is written. `csv` splits at commas as cosign does, `list` keeps each occurrence whole. */
type FlagKind = 'boolean' | 'text' | 'list' | 'csv' | 'number' | 'duration'

/** One flag of one verb. */
export type Flag = {
  readonly name: string
  readonly short?: string
  readonly kind: FlagKind
  readonly help: string
  /** What the help calls the value. */
  readonly value?: string
  /** The value of the flag when it stands alone; another one must then follow after `=`, as with cobra. */
  readonly bare?: string
  /** The values that the flag takes, or the usual ones, for completion. */
  readonly choices?: readonly string[]
  /** What holds when the flag is absent, for the help only. */
  readonly default?: string
  readonly hidden?: true
  /** The flag that this one is another spelling of. */
  readonly alias?: string
  /** Set: accepted, does nothing; the text says why. */
  readonly idle?: string
  /** With `idle`: `=false` asks for what happens anyway, so nothing needs to be said. */
  readonly quietWhenFalse?: true
  /** Set: refused by name when given; the text says what to do in place of it. */
  readonly refused?: { readonly code: 'not_supported' | 'service_not_supported'; readonly hint: string }
  /** The value names a file: in a profile it is relative to the profile. */
  readonly path?: true
  /** Weakens a check or carries a secret: never read from a profile. */
  readonly commandLineOnly?: true
}

/** One example of the help: what it is for, and what to type. */
type Example = { readonly text: string; readonly line: string }

/** The body of a verb: does the work, prints its own result, and says how it ended. */
export type Body = (invocation: Invocation) => Promise<Conclusion>

/** A verb: everything but its body, which is loaded when it runs. */
export type Command = {
  /** One or two words, e.g. `download signature`. */
  readonly name: string
  readonly summary: string
  readonly description?: string
  /** Subjects as the help writes them, e.g. `IMAGE…`. */
  readonly subjects: string
  readonly least: number
  /** The flag that may name the subjects: with it none is needed. */
  readonly insteadOfSubjects?: string
  readonly most: number
  readonly examples: readonly [Example, ...Example[]]
  readonly flags: readonly Flag[]
  readonly body: () => Promise<Body>
}

/** A line of the table of verbs. */
export type Verb = {
  readonly name: string
  readonly summary: string
  readonly group: 'sign' | 'verify' | 'look' | 'move' | 'keys' | 'trust' | 'services' | 'other'
  readonly load: () => Promise<Command>
}
