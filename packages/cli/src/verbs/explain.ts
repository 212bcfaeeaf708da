/** `countersign explain`. */
import { statSync } from 'node:fs'
import type { JsonValue } from '@countersign/core/json/parse'
import type { Refusal } from '@countersign/core/verify/evidence'
import type { ContentDemand } from '@countersign/core/verify/policy'
import type { Invocation } from '../command/invocation.ts'
import { namesNobody } from '../demands/accepting.ts'
import { annotationsFromFlags } from '../demands/policy.ts'
import { attestationDemand } from '../demands/predicate-type.ts'
import { signerFromFlags } from '../demands/signers.ts'
import type { Explained } from '../explain/explained.ts'
import { type Step, stepsOf } from '../explain/steps.ts'
import { asFailure, failureMessage, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { type Paint, paint } from '../terminal/paint.ts'

/** Verifies, and says how. */
export async function explain(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal, flags, reportOnStdout } = invocation
  const [subject = ''] = subjects
  const content = contentOf(invocation)
  const gathered = isFile(invocation, subject)
    ? await (await import('../explain/file.ts')).explainFile(invocation, subject, content)
    : await (await import('../explain/image.ts')).explainImage(invocation, subject, content)
  const explained = namesNobody(flags) ? refused(gathered, await nobodyNamed(invocation)) : gathered
  const steps = stepsOf(subject, explained)
  if (!reportOnStdout) terminal.out(stepsText(steps, paint(terminal.colour)))
  const { failure, verdict } = explained
  if (failure !== undefined) terminal.err(failureMessage(failure, subject))
  const report = {
    subject,
    ok: failure === undefined,
    ...(explained.reference === undefined ? {} : { reference: explained.reference }),
    ...(explained.digest === undefined ? {} : { digest: explained.digest }),
    ...(verdict === undefined ? {} : { verdict: verdict.decision }),
    signatures: explained.signatures.map(({ origin, result }) =>
      'evidence' in result ? acceptedReport(result.evidence, origin) : rejectedReport(result.refusal, origin),
    ),
    unreadable: explained.unreadable.map((error) => failureReport(failureText(error))),
    // Data throughout: what is written is what it is.
    content: { steps, requests: explained.events, ...(verdict === undefined ? {} : { verdict }) } as unknown as JsonValue,
    ...(failure === undefined ? {} : { failure: failureReport(failure) }),
  }
  return { subjects: [report], policy: explained.demands }
}

function contentOf({ flags }: Invocation): ContentDemand {
  if (flags.text('type') !== undefined) return attestationDemand(flags)
  const annotations = annotationsFromFlags(flags.list('annotations'))
  return { kind: 'signature', ...(annotations.size === 0 ? {} : { annotations }) }
}

/** A file is what has its signature named beside it, or what is there under that name. */
function isFile({ flags, terminal }: Invocation, subject: string): boolean {
  if (flags.boolean('local-image', false) || /^oci(?:-archive)?:/.test(subject)) return false
  if (subject === '-' || flags.list('bundle').length > 0 || flags.text('signature') !== undefined) return true
  return statSync(`${terminal.workingFolder}/${subject}`, { throwIfNoEntry: false })?.isFile() === true || subject.startsWith('/')
}

async function nobodyNamed(invocation: Invocation): Promise<Refusal> {
  const refusal = { ok: false, code: 'usage', detail: 'it is not said who may have signed', checks: [] } as const
  try {
    await signerFromFlags(invocation)
  } catch (thrown) {
    const { expected, found, hint, message } = asFailure(thrown)
    return {
      ...refusal,
      detail: message,
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
      ...(hint === undefined ? {} : { hint }),
    }
  }
  return refusal
}

/** Without a name nothing is verified; who was proven is good for advice alone. */
function refused(explained: Explained, failure: Refusal): Explained {
  const proven = explained.signatures.flatMap(({ result }) => ('evidence' in result ? [result.evidence] : []))
  const signatures = explained.signatures.map(({ result, ...rest }) => ({
    ...rest,
    result: 'evidence' in result ? { refusal: { ...failure, checks: result.evidence.checks } } : result,
  }))
  return { ...explained, signatures, proven, failure: explained.failure?.code === 'artifact_not_found' ? explained.failure : failure }
}

function stepsText(steps: readonly Step[], paint: Paint): string {
  const marks = { held: paint.good('✓'), failed: paint.bad('✗'), open: '?', waived: '-' }
  const heads = { done: '', failed: ` ${paint.bad('✗')}`, open: ' ?' }
  return steps
    .map(({ number, title, outcome, lines }) => {
      const body = lines.map(({ mark, text }) => `   ${mark === undefined ? ' ' : marks[mark]} ${text}\n`)
      return `${paint.strong(`${number}. ${title}`)}${heads[outcome]}\n${body.join('')}`
    })
    .join('\n')
}
