/** A verification as numbered steps: one value for text and JSON. */
import type { Check, Evidence, Refusal } from '@countersign/core/verify/evidence'
import type { TraceEvent } from '@countersign/sdk/trace'
import { failureLine, failureText, printable } from '../failure/message.ts'
import { verdictTree } from '../report/verdict.ts'
import type { Explained, ExplainedLayout, ExplainedSignature } from './explained.ts'
import { remediesOf } from './remedies.ts'

/** One step. Of the lines each is a fact; a mark says how it went. */
export type Step = {
  readonly number: number
  readonly title: string
  readonly outcome: 'done' | 'failed' | 'open'
  readonly lines: readonly StepLine[]
}

/** A fact, and how it went: `held`, `failed`, `open` (could not tell), `waived`, or nothing to judge. */
type StepLine = { readonly mark?: 'held' | 'failed' | 'open' | 'waived'; readonly text: string; readonly check?: string }

const maxEventLines = 200
const maxSignatures = 50

/** The steps of what happened, in order; the last says what would make it pass. */
export function stepsOf(subject: string, explained: Explained): readonly Step[] {
  const signatures = explained.signatures.slice(0, maxSignatures)
  const steps: Omit<Step, 'number'>[] = [demanded(explained), fetched(explained)]
  if (explained.kind === 'image') steps.push(resolved(explained), searched(explained))
  for (const [at, signature] of signatures.entries()) steps.push(judged(signature, at + 1, explained.signatures.length))
  if (explained.signatures.length > signatures.length)
    steps.push({ title: `${explained.signatures.length - signatures.length} more signatures are not shown`, outcome: 'done', lines: [] })
  steps.push(concluded(explained))
  const remedies = remediesOf(subject, explained)
  if (remedies.length > 0) steps.push({ title: 'What would make it pass', outcome: 'done', lines: remedies.map((text) => ({ text })) })
  return steps.map((step, at) => ({ number: at + 1, ...step }))
}

function demanded({ content, demands }: Explained): Omit<Step, 'number'> {
  const { log, sct, signedTimestamp, claims } = demands.demands
  const lines = [
    ['signers', demands.signers.join('; or ')],
    ['log entry', log],
    ['certificate logged (SCT)', sct],
    ['signed timestamp', signedTimestamp],
    ['that it names this artifact', claims],
    ['trusted root', demands.trust === undefined ? 'none' : `${demands.trust.name} (${demands.trust.source})`],
  ].map(([name = '', value = '']): StepLine => ({
    text: printable(`${name}: ${value}`),
    ...(value.startsWith('waived') ? { mark: 'waived' } : {}),
  }))
  return { title: `What is demanded of ${content === 'attestation' ? 'an attestation' : 'a signature'}`, outcome: 'done', lines }
}

function fetched({ events, dropped }: Explained): Omit<Step, 'number'> {
  const bytes = events.reduce((sum, event) => sum + (event.kind === 'reused' ? 0 : event.bytes), 0)
  const requests = events.filter((event) => event.kind === 'request').length
  const reads = events.filter((event) => event.kind === 'read').length
  const reused = events.length - requests - reads
  const parts = [count(requests, 'request'), count(reads, 'read'), reused === 0 ? '' : `${reused} from the cache`]
  const failed = events.some((event) => event.kind !== 'reused' && event.failure !== undefined)
  const lines = events.slice(0, maxEventLines).map(eventLine)
  const left = events.length - lines.length + dropped
  if (left > 0) lines.push({ text: `${left} more are not shown` })
  const what = parts.filter((part) => part !== '').join(', ')
  return { title: `What was fetched: ${what === '' ? 'nothing' : `${what}; ${bytes} bytes`}`, outcome: failed ? 'open' : 'done', lines }
}

function eventLine(event: TraceEvent): StepLine {
  if (event.kind === 'reused') return { text: `cache  ${event.bytes} bytes: ${event.purpose}` }
  const tail = `${event.bytes} bytes, ${event.ms.toFixed(1)} ms: ${event.purpose}`
  const failure = event.failure === undefined ? {} : { mark: 'open' as const }
  if (event.kind === 'read') {
    const gone = event.found || event.failure !== undefined ? '' : 'not there, '
    return {
      text: printable(`read   ${event.place}  ${gone}${tail}${event.failure === undefined ? '' : `: ${event.failure}`}`),
      ...failure,
    }
  }
  const answer = event.status === undefined ? (event.failure ?? 'no answer') : `${event.status}`
  return { text: printable(`${event.method.padEnd(4)}  ${event.host}  ${answer}  ${tail}`), ...failure }
}

function resolved({ reference, failure }: Explained): Omit<Step, 'number'> {
  if (reference === undefined) {
    const text = failure === undefined ? 'it could not be resolved' : failureLine(failure)
    return { title: 'Which image that is', outcome: 'failed', lines: [{ mark: 'failed', text }] }
  }
  return { title: 'Which image that is', outcome: 'done', lines: [{ mark: 'held', text: printable(reference) }] }
}

function searched({ layouts, unreadable }: Explained): Omit<Step, 'number'> {
  const lines: StepLine[] = (layouts ?? []).map((layout) => ({
    text: `${layout.layout}: ${heldText(layout)}`,
    ...(layout.broken > 0 ? { mark: 'failed' } : {}),
  }))
  for (const error of unreadable) lines.push({ mark: 'open', text: `not readable: ${failureLine(failureText(error))}` })
  const outcome = unreadable.length > 0 ? 'open' : layouts === undefined ? 'failed' : 'done'
  return { title: layouts === undefined ? 'What was found: nothing was searched' : 'What was found, in each layout', outcome, lines }
}

function heldText({ signatures, attestations, broken }: ExplainedLayout): string {
  const parts = [count(signatures, 'signature'), count(attestations, 'attestation'), broken === 0 ? '' : `${broken} that cannot be read`]
  const text = parts.filter((part) => part !== '').join(', ')
  return text === '' ? 'nothing' : text
}

function count(many: number, what: string): string {
  return many === 0 ? '' : `${many} ${what}${many === 1 ? '' : 's'}`
}

function judged({ name, origin, result }: ExplainedSignature, number: number, of: number): Omit<Step, 'number'> {
  const where = origin === undefined ? '' : ` in ${origin.layouts.join(', ')}`
  const counts = 'evidence' in result
  const lines = counts ? evidenceLines(result.evidence) : refusalLines(result.refusal)
  return {
    title: printable(`Signature ${number} of ${of}, ${name}${where}: ${counts ? 'valid' : 'does not count'}`),
    outcome: counts ? 'done' : 'failed',
    lines,
  }
}

function evidenceLines({ checks, waivers, signer, content }: Evidence): readonly StepLine[] {
  const who = signer.kind === 'key' ? `key ${signer.label} (${signer.fingerprint})` : `${signer.subject}, by ${signer.issuer}`
  const what = content.kind === 'statement' ? content.predicateType : content.kind
  return [
    { text: printable(`signer: ${who}`) },
    { text: printable(`content: ${what}`) },
    ...checks.map(checkLine),
    ...waivers.map((waiver): StepLine => ({ mark: 'waived', check: waiver.check, text: printable(`${waiver.check}: ${waiver.reason}`) })),
  ]
}

function refusalLines(refusal: Refusal): readonly StepLine[] {
  const failed: StepLine = { mark: 'failed', check: refusal.code, text: `${refusal.code}: ${failureLine(refusal)}` }
  return [...refusal.checks.map(checkLine), failed]
}

function checkLine({ check, detail }: Check): StepLine {
  return { mark: 'held', check, text: printable(`${check}: ${detail}`) }
}

function concluded({ verdict, failure, signatures, content }: Explained): Omit<Step, 'number'> {
  const lines: StepLine[] = (verdict === undefined ? [] : verdictTree(verdict)).map((text) => ({ text }))
  if (failure !== undefined) {
    lines.push({ mark: 'failed', text: `${failure.code}: ${failureLine(failure)}` })
    return {
      title: verdict === undefined ? 'The outcome: not verified' : `The outcome: ${verdict.decision}, by policy ${verdict.policy}`,
      outcome: 'failed',
      lines,
    }
  }
  const valid = signatures.filter(({ result }) => 'evidence' in result).length
  if (verdict === undefined)
    lines.push({
      mark: 'held',
      text: `${count(valid, content === 'attestation' ? 'attestation' : 'signature')} satisfied everything that was demanded; one is enough`,
    })
  return {
    title: verdict === undefined ? 'The outcome: verified' : `The outcome: ${verdict.decision}, by policy ${verdict.policy}`,
    outcome: 'done',
    lines,
  }
}
