/** The report for people: what was demanded, and for each signature why it was or was not accepted. */
import { printable } from '../failure/message.ts'
import type { Paint } from '../terminal/paint.ts'
import { standingOf } from './items.ts'
import { verdictIn, verdictTree } from './verdict.ts'
import type { FailureReport, PolicyReport, Report, SignatureReport, SignerReport, SubjectReport } from './schema.ts'

/** The whole report as text. */
export function textReport(report: Report, paint: Paint): string {
  let text = report.subjects.map((subject) => subjectText(subject, paint)).join('\n')
  if (report.policy !== undefined) text += `\n${policyText(report.policy)}`
  for (const warning of report.warnings) text += line('warning', warning)
  if (report.failure !== undefined) text += failureLines(report.failure, '')
  return `${text}${line('outcome', `${report.outcome} (exit ${report.exitCode})`)}`
}

/** One image, file or key. */
export function subjectText(subject: SubjectReport, paint: Paint): string {
  const mark = markOf(subject, paint)
  let text = `${mark} ${paint.strong(printable(subject.subject))}\n`
  if (subject.reference !== undefined && subject.reference !== subject.subject) text += line('image', subject.reference)
  else if (subject.digest !== undefined) text += line('digest', subject.digest)
  for (const signature of subject.signatures ?? []) text += signatureText(signature, paint)
  for (const written of subject.written ?? []) {
    text += line(written.alreadyThere ? 'there' : 'written', `${written.layout} ${written.manifest ?? ''} for ${written.subject}`)
  }
  for (const file of subject.files ?? []) text += line('file', file)
  for (const place of subject.unreadable ?? []) text += line('unread', `${place.code}: ${place.detail}`)
  const verdict = verdictIn(subject.content)
  if (verdict !== undefined) text += [line('policy', verdict.decision), ...verdictTree(verdict).map((each) => `    ${each}\n`)].join('')
  else if (subject.content !== undefined) text += `${JSON.stringify(subject.content, undefined, 2)}\n`
  if (subject.skipped !== undefined) text += line('skipped', subject.skipped)
  if (subject.listedIn !== undefined) text += line('listed in', subject.listedIn)
  if (subject.failure !== undefined) text += failureLines(subject.failure, '  ')
  return text
}

function markOf(subject: SubjectReport, paint: Paint): string {
  const standing = standingOf(subject)
  if (standing === 'skipped') return paint.dim('-')
  return standing === 'failed' ? paint.bad('✗') : standing === 'warned' ? '!' : paint.good('✓')
}

function signatureText(signature: SignatureReport, paint: Paint): string {
  const where = signature.origin === undefined ? '' : ` in ${signature.origin.layouts.join(', ')} ${signature.origin.blob}`
  const head = signature.accepted ? paint.good('accepted') : paint.bad('not accepted')
  let text = `  ${head}${signature.content === undefined ? '' : ` ${signature.content}`}${paint.dim(where)}\n`
  if (signature.signer !== undefined) text += line('signer', signerText(signature.signer), 4)
  for (const check of signature.checks) text += line(check.check, check.detail, 4)
  for (const [name, value] of Object.entries(signature.annotations ?? {})) text += line('annotation', `${name}=${value}`, 4)
  for (const entry of signature.log ?? [])
    text += line('log', `entry ${entry.logIndex} of ${entry.baseUrl}, proven by ${entry.proof.join(' and ')}`, 4)
  for (const time of signature.times ?? []) text += line('time', `${time.time} by ${time.source} ${time.authority}`, 4)
  for (const waiver of signature.waivers ?? []) text += line('waived', `${waiver.check}: ${waiver.reason}`, 4)
  if (signature.failure !== undefined) text += failureLines(signature.failure, '    ')
  return text
}

function signerText(signer: SignerReport): string {
  return signer.kind === 'key'
    ? `key ${signer.label} (${signer.fingerprint})`
    : `${signer.subject} by ${signer.issuer} (certificate ${signer.fingerprint})`
}

/** What was demanded, and where trust came from. */
export function policyText(policy: PolicyReport): string {
  let text = line('demanded', `one of: ${policy.signers.join(', ')}`)
  text += line('log', policy.demands.log)
  text += line('timestamp', policy.demands.signedTimestamp)
  text += line('SCT', policy.demands.sct)
  if (policy.demands.claims !== 'required') text += line('claims', policy.demands.claims)
  if (policy.trust !== undefined)
    text += line('trust', `${policy.trust.source} ${policy.trust.name}${policy.trust.date === undefined ? '' : `, ${policy.trust.date}`}`)
  return text
}

function failureLines(failure: FailureReport, indent: string): string {
  const parts = [
    failure.detail,
    ...(failure.expected === undefined ? [] : [`expected ${failure.expected}`]),
    ...(failure.found === undefined ? [] : [`found ${failure.found}`]),
  ]
  return `${indent}${failure.code}: ${printable(parts.join(', '))}\n${indent}  ${printable(failure.hint)}\n`
}

function line(name: string, value: string, indent = 2): string {
  return `${' '.repeat(indent)}${name.replaceAll('_', ' ').padEnd(17)}${name.length >= 17 ? ' ' : ''}${printable(value)}\n`
}
