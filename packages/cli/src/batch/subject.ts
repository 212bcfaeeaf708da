/** One item of a run as the report has it. */
import type { ItemVerdict } from '@countersign/sdk/batch/judge'
import type { BatchItem } from '@countersign/sdk/batch/model'
import type { EarlyEnd } from '@countersign/sdk/batch/pool'
import { CountersignError } from '@countersign/core/failure'
import { asFailure, failureText } from '../failure/message.ts'
import { failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { headline } from '../report/headline.ts'
import type { SubjectReport } from '../report/schema.ts'
import { verdictContent } from '../report/verdict.ts'

/** What verifying gave. `full` keeps the evidence; without it only what the exit code and one line need. */
export function verdictSubject(item: BatchItem, verdict: ItemVerdict, full: boolean): SubjectReport {
  const { ok, reference, digest, listedIn, accepted, rejected, unreadable } = verdict
  const failure = ok ? undefined : headline(verdict)
  return {
    ...describedItem(item),
    ok,
    ...(reference === undefined ? {} : { reference }),
    ...(digest === undefined ? {} : { digest }),
    ...(listedIn === undefined ? {} : { listedIn }),
    ...(verdict.verdict === undefined ? {} : { verdict: verdict.verdict.decision, content: verdictContent(verdict.verdict) }),
    ...(full
      ? {
          signatures: [
            ...accepted.map(({ evidence, origin }) => acceptedReport(evidence, origin)),
            ...rejected.map(({ refusal, origin }) => rejectedReport(refusal, origin)),
          ],
        }
      : {}),
    ...(full || unreadable.length > 0 ? { unreadable: unreadable.map((error) => failureReport(failureText(error))) } : {}),
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
}

/** What was thrown in the place of a verdict. */
export function thrownSubject(item: BatchItem, thrown: unknown): SubjectReport {
  return { ...describedItem(item), ok: false, failure: failureReport(failureText(asFailure(thrown))) }
}

/** What nobody looks at. */
export function skippedSubject(item: BatchItem, reason: string): SubjectReport {
  return { ...describedItem(item), ok: false, skipped: reason }
}

/** What the run did not come to: nobody knows what it is, so the run cannot end well. */
export function unreachedSubject(item: BatchItem, why: EarlyEnd): SubjectReport {
  const failure =
    why === 'interrupted'
      ? new CountersignError('interrupted', 'the run was interrupted before')
      : new CountersignError('deadline_exceeded', 'the time of the run was over before')
  return { ...describedItem(item), ok: false, skipped: failure.message, failure: failureReport(failureText(failure)) }
}

/** What an item is, whatever becomes of it. */
export function describedItem(item: BatchItem): Pick<SubjectReport, 'subject' | 'type' | 'platform' | 'location'> {
  const type = 'type' in item ? item.type : item.kind
  return {
    subject: item.subject,
    type,
    ...(item.kind !== 'container' || item.platform === undefined ? {} : { platform: item.platform }),
    ...(item.at === undefined ? {} : { location: item.at }),
  }
}
