/**
 * The report of one run: one schema for success and for failure, on every verb (`--report json`).
 *
 * Fields are only ever added. Times are ISO 8601 in UTC, digests in OCI notation, everything that comes from outside is text as found.
 */
import type { FailureCode, Outcome } from '@countersign/core/failure'
import type { JsonValue } from '@countersign/core/json/parse'

/** The whole report. */
export type Report = {
  readonly schema: 'countersign-report/1'
  readonly tool: { readonly name: 'countersign'; readonly version: string }
  /** The verb, e.g. `verify` or `download signature`. */
  readonly command: string
  /** When the run ended. */
  readonly time: string
  /** `ok`, or what the gravest failure means. */
  readonly outcome: 'ok' | Outcome
  readonly exitCode: number
  /** What was demanded; present on the verbs that verify. */
  readonly policy?: PolicyReport
  /** One entry for each image, file or key, in the order of the command line. */
  readonly subjects: readonly SubjectReport[]
  /** The verbs that verify: what became of each subject, sorted by that, each list in the order of `subjects`. */
  readonly verified?: readonly SubjectSummary[]
  /** A policy lets it pass with a warning. */
  readonly warned?: readonly SubjectSummary[]
  readonly failed?: readonly SubjectSummary[]
  /** Not looked at, with the reason; where the run ended early, that makes its outcome `unknown`. */
  readonly skipped?: readonly SubjectSummary[]
  readonly summary?: SummaryReport
  /** Milliseconds. */
  readonly timings?: TimingsReport
  /** What was said on stderr: choices that weaken a check, flags without effect. */
  readonly warnings: readonly string[]
  /** Why the run as a whole failed, when no single subject did. */
  readonly failure?: FailureReport
}

/** One subject of many, in short; the evidence is in `subjects[index]`. */
export type SubjectSummary = Pick<
  SubjectReport,
  'subject' | 'type' | 'platform' | 'reference' | 'digest' | 'location' | 'verdict' | 'durationMs'
> & {
  readonly index: number
  readonly code?: FailureCode
  /** Why it failed, was warned of, or was skipped. */
  readonly detail?: string
}

/** How many there are of each. */
export type SummaryReport = {
  readonly total: number
  readonly verified: number
  readonly warned: number
  readonly failed: number
  readonly skipped: number
}

/** How long the run took from the start of the process, and of that finding out what to verify, and verifying. */
export type TimingsReport = { readonly totalMs: number; readonly readingMs?: number; readonly verifyingMs?: number }

/** What one verification demanded. */
export type PolicyReport = {
  /** Keys by label, or identities; any of them suffices. */
  readonly signers: readonly string[]
  /** Each check that can be left out: `required`, `not demanded`, or `waived: REASON`. */
  readonly demands: {
    readonly log: string
    readonly sct: string
    readonly signedTimestamp: string
    readonly claims: string
  }
  /** Where the trusted root came from; absent when none was used. */
  readonly trust?: { readonly source: string; readonly name: string; readonly date?: string }
}

/** What became of one image, file or key. */
export type SubjectReport = {
  /** As typed. */
  readonly subject: string
  readonly ok: boolean
  /** Runs over many: `container`, `file`, or what a batch file calls it. */
  readonly type?: string
  /** `os/architecture[/variant]`, where it was chosen out of an index. */
  readonly platform?: string
  /** Where a file mentions it. Lines and columns count from 1. */
  readonly location?: { readonly file: string; readonly line?: number; readonly column?: number; readonly path?: string }
  /** What a policy says of it. */
  readonly verdict?: 'allow' | 'warn' | 'deny'
  /** The signed list by which a file is vouched for. */
  readonly listedIn?: string
  /** Why it was not looked at. With a failure beside it the run ended before. */
  readonly skipped?: string
  readonly durationMs?: number
  /** `registry/repository@sha256:…` */
  readonly reference?: string
  readonly digest?: string
  /** Where files mention it, for the verbs that read images from files. */
  readonly mentions?: readonly {
    readonly file: string
    readonly line: number
    readonly column: number
    readonly path: string
    readonly object?: string
  }[]
  /** Signatures and attestations that were found, accepted or not. */
  readonly signatures?: readonly SignatureReport[]
  /** Signatures that this run made. */
  readonly written?: readonly WrittenReport[]
  /** Files that this run wrote. */
  readonly files?: readonly string[]
  /** What the verb shows: the parsed content of `inspect`, the list of `tree`, the variables of `env`. */
  readonly content?: JsonValue
  /** Places that could not be read: what is there is not known. */
  readonly unreadable?: readonly FailureReport[]
  /** What was found in a file that was checked. */
  readonly findings?: readonly FindingReport[]
  readonly failure?: FailureReport
}

/** One finding in a file, with its place. */
type FindingReport = {
  readonly finding: string
  readonly file: string
  readonly line?: number
  readonly column?: number
  /** Where it is in the document, as in `$.require[0]`. */
  readonly path: string
  readonly detail: string
}

/** One signature that was looked at: exactly the checks that ran, and what each proved. */
export type SignatureReport = {
  readonly accepted: boolean
  /** Where it was found; absent for bundles given as files. */
  readonly origin?: { readonly layouts: readonly string[]; readonly manifest: string; readonly blob: string }
  readonly signer?: SignerReport
  readonly algorithm?: string
  /** The digest that the signature binds. */
  readonly artifact?: string
  /** `message`, `simple-signing`, or the predicate type of a statement. */
  readonly content?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** Until when the signer meant it to hold, and the repository that it was signed for. */
  readonly terms?: { readonly expires?: string; readonly name?: string }
  readonly log?: readonly {
    readonly baseUrl: string
    readonly logIndex: number
    readonly proof: readonly string[]
    readonly integratedTime?: string
  }[]
  readonly times?: readonly { readonly source: string; readonly time: string; readonly authority: string }[]
  /** Checks that ran and held. */
  readonly checks: readonly { readonly check: string; readonly detail: string }[]
  /** Checks that were skipped by a named choice. */
  readonly waivers?: readonly { readonly check: string; readonly reason: string }[]
  /** Why it was not accepted. */
  readonly failure?: FailureReport
}

/** Who signed, proven. */
export type SignerReport =
  | { readonly kind: 'key'; readonly label: string; readonly fingerprint: string }
  | {
      readonly kind: 'certificate'
      readonly issuer: string
      readonly subject: string
      readonly fingerprint: string
      /** Of the key that it certifies. */
      readonly keyFingerprint: string
      readonly notBefore: string
      readonly notAfter: string
      readonly extensions: Readonly<Record<string, string>>
      /** Of a certificate by an authority that a policy names: all that it says whose it is. */
      readonly certifiedAs?: { readonly names: readonly string[]; readonly distinguishedName: string }
    }

/** One signature that was made, read back and verified. */
type WrittenReport = {
  readonly layout: string
  readonly subject: string
  /** Digest of the manifest that holds it; absent when nothing was uploaded. */
  readonly manifest?: string
  /** True when an equal signature was there before and nothing was added. */
  readonly alreadyThere: boolean
}

/** A failure: the code to act on, the text for people, and the next step. */
export type FailureReport = {
  readonly code: FailureCode
  readonly outcome: Outcome
  readonly detail: string
  readonly expected?: string
  readonly found?: string
  readonly hint: string
}
