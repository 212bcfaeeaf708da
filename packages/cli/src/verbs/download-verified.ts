/** `countersign download attestation` with a key, an identity or a policy: what is printed was verified before. */
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { type ImageReference, parseReference } from '@countersign/core/oci/reference'
import type { Verdict } from '@countersign/core/policy/verdict'
import { parseStatement } from '@countersign/core/statement/statement'
import { type ImageRepositories, withImageRepositories } from '@countersign/sdk/sign/repositories'
import { judgeImageIn } from '@countersign/sdk/verify/by-policy'
import { verifyImageIn } from '@countersign/sdk/verify/image'
import type { AcceptedSignature, ImageVerification } from '@countersign/sdk/verify/requests'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { judgingFromFlags } from '../demands/judging.ts'
import { demandsFromFlags } from '../demands/policy.ts'
import { failureMessage, failureText } from '../failure/message.ts'
import { resolvePlatform } from '../images/resolve.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { cosignEnvelope } from '../report/cosign.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { headline } from '../report/headline.ts'

type Proven = Pick<Conclusion, 'policy'> & {
  readonly verify: (repositories: ImageRepositories, image: ImageReference) => Promise<ImageVerification & { readonly verdict?: Verdict }>
}

/** Prints the envelopes that were accepted, or their predicates; nothing when none was. */
export async function downloadVerified(invocation: Invocation, type: string | undefined): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  const reference = parseReference(subject)
  const proven = await provenBy(invocation, type)
  return withImageRepositories(imagePlaces(invocation, reference), async (repositories) => {
    const { digest } = await resolvePlatform(repositories.images, reference, flags.text('platform'))
    const result = await proven.verify(repositories, { ...reference, digest })
    const wanted = result.ok ? result.accepted.filter((one) => isWanted(one, type, result.verdict)) : []
    const failure = result.ok
      ? wanted.length === 0
        ? failureText(new CountersignError('no_attestation', `no attestation of ${digest} that was asked for counts`))
        : undefined
      : (headline(result) ?? failureText(new CountersignError('internal', 'refused without a reason')))
    if (failure !== undefined) terminal.err(failureMessage(failure, subject))
    for (const one of wanted) terminal.out(`${flags.boolean('predicate-only', false) ? predicateText(one) : cosignEnvelope(one)}\n`)
    for (const error of result.unreadable) terminal.warn(`WARNING: there may be more: ${error.message}`)
    const signatures = [
      ...wanted.map(({ evidence, origin }) => acceptedReport(evidence, origin)),
      ...result.rejected.map(({ refusal, origin }) => rejectedReport(refusal, origin)),
    ]
    const report = {
      subject,
      ok: failure === undefined,
      digest,
      signatures,
      ...(failure === undefined ? {} : { failure: failureReport(failure) }),
    }
    return { subjects: [report], ...(proven.policy === undefined ? {} : { policy: proven.policy }) }
  })
}

async function provenBy(invocation: Invocation, type: string | undefined): Promise<Proven> {
  const file = invocation.flags.text('policy')
  const { nowMs } = invocation.terminal
  if (file !== undefined) {
    const { request, report } = await judgingFromFlags(invocation, file, 'image')
    return { policy: report, verify: (repositories, image) => judgeImageIn(repositories, { image, ...request }) }
  }
  const content = { kind: 'attestation', ...(type === undefined ? {} : { predicateType: type }) } as const
  const { policy, trustedRoot, report } = await demandsFromFlags(invocation, content, 'image')
  const trust = trustedRoot === undefined ? {} : { trustedRoot }
  return { policy: report, verify: (repositories, image) => verifyImageIn(repositories, { image, policy, ...trust, nowMs }) }
}

/**
 * An attestation of the type asked for; by a policy one that a rule counted. A policy accepts an image when others prove enough, and names
 * signers for other things than this: what merely verified is not what was asked for.
 */
function isWanted({ evidence, origin }: AcceptedSignature, type: string | undefined, verdict: Verdict | undefined): boolean {
  const { content } = evidence
  if (content.kind !== 'statement' || (type !== undefined && content.predicateType !== type)) return false
  if (verdict === undefined) return true
  return verdict.rules.some(({ looked }) => {
    // Several envelopes in one manifest have one name: all of them must count.
    const own = looked.filter(({ source }) => source === origin.manifest)
    return own.length > 0 && own.every(({ status }) => status === 'counts')
  })
}

/** The predicate's own bytes, as they were signed. */
function predicateText({ evidence }: AcceptedSignature): string {
  const { content } = evidence
  const bytes = content.kind === 'statement' ? parseStatement(content.payload).predicateBytes : undefined
  return bytes === undefined ? 'null' : fromUtf8(bytes)
}
