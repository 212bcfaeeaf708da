/** What `verify` and `verify-attestation` print: for people, or byte for byte what cosign prints. */
import type { Check, CheckName } from '@countersign/core/verify/evidence'
import type { ImageVerification } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { contentWord, type Demands } from '../demands/policy.ts'
import { printable } from '../failure/message.ts'
import { cosignEnvelope, cosignPayload } from '../report/cosign.ts'
import type { SubjectReport } from '../report/schema.ts'

/** `readable` for people, `json` and `text` as cosign names its forms. */
export type OutputForm = 'readable' | 'json' | 'text'

/** Prints one image for people, accepted or not. The final failure is left to stderr. */
export async function printReadable({ terminal }: Invocation, report: SubjectReport): Promise<void> {
  const { subjectText } = await import('../report/text.ts')
  const { paint } = await import('../terminal/paint.ts')
  const { failure, ...rest } = report
  terminal.out(subjectText(failure === undefined ? report : rest, paint(terminal.colour)))
}

/** Prints one verified image as cosign does: the checks on stderr, the claims or envelopes on stdout. */
export function printVerification(
  { reportOnStdout, terminal }: Invocation,
  typed: string,
  verification: ImageVerification,
  demands: Demands,
  form: 'json' | 'text',
): void {
  // A report on stdout says it too, and more.
  if (!reportOnStdout) terminal.err(checksText(typed, verification, demands))
  if (demands.policy.content.kind === 'attestation') {
    for (const accepted of verification.accepted) terminal.out(`${cosignEnvelope(accepted)}\n`)
    return
  }
  const payloads = verification.accepted.map((accepted) => cosignPayload(accepted.evidence, { typed, digest: verification.digest }))
  if (form === 'text') for (const payload of payloads) terminal.out(`${payload}\n`)
  else terminal.out(`\n[${payloads.join(',')}]\n`)
}

/** cosign's words for the checks that it has too; the others in ours. A line appears only when the check ran on every signature. */
const words: { readonly [check in CheckName]?: string } = {
  annotations: 'The specified annotations were verified.',
  artifact_digest: 'The cosign claims were validated',
  log_entry: 'Existence of the claims in the transparency log was verified offline',
  public_key: 'The signatures were verified against the specified public key',
  certificate_chain: 'The code-signing certificate was verified using trusted certificate authority certificates',
  identity: 'The identity in the certificate was the expected one',
  signed_certificate_timestamp: 'The certificate was logged in a trusted certificate transparency log',
  timestamp: 'The time of signing was verified by a trusted timestamp authority',
  key_validity: 'The signatures were made while the key was valid',
}

const order: readonly CheckName[] = [
  'annotations',
  'artifact_digest',
  'log_entry',
  'timestamp',
  'public_key',
  'key_validity',
  'certificate_chain',
  'identity',
  'signed_certificate_timestamp',
]

function checksText(typed: string, verification: ImageVerification, demands: Demands): string {
  const ran = verification.accepted.map((accepted) => new Set(accepted.evidence.checks.map((check: Check) => check.check)))
  let text = `\nVerification for ${printable(typed)} --\nThe following checks were performed on each of these signatures:\n`
  for (const check of order) {
    if (words[check] !== undefined && ran.every((checks) => checks.has(check))) text += `  - ${words[check]}\n`
  }
  if (demands.policy.log.kind === 'not_demanded' && !ran.every((checks) => checks.has('log_entry'))) {
    text += '  - No entry in a transparency log was demanded\n'
  }
  const others = verification.rejected.length
  const what = contentWord(demands.policy.content)
  if (others > 0) text += `${others} other ${what}${others === 1 ? ' was' : 's were'} not accepted; --report text says why.\n`
  return text
}
