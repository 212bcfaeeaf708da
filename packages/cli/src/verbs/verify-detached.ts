/** `countersign verify --signature`: a signature that is not in the registry, over a simple-signing payload. */
import type { SignedEntity } from '@countersign/core/bundle/model'
import { CountersignError } from '@countersign/core/failure'
import { formatPlace, parseReference } from '@countersign/core/oci/reference'
import { buildSimpleSigning } from '@countersign/core/oci/simple-signing'
import type { ContentDemand } from '@countersign/core/verify/policy'
import { verifyEntity } from '@countersign/core/verify/verify'
import { readBlobEntity } from '@countersign/sdk/blob/evidence-file'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { type BlobEvidence, readBlobEvidence } from '../demands/blob-evidence.ts'
import { demandsFromFlags } from '../demands/policy.ts'
import { failureMessage } from '../failure/message.ts'
import { resolveImage } from '../images/resolve.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { cosignPayload } from '../report/cosign.ts'
import { acceptedReport, rejectedReport } from '../report/evidence.ts'
import { readInput } from '../terminal/input.ts'

const maxPayloadBytes = 1_048_576

/** Verifies one image with the signature given; the registry is asked only which digest a tag means. */
export async function verifyDetached(invocation: Invocation, content: ContentDemand): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = '', second] = subjects
  if (flags.text('signature') === undefined) {
    throw new CountersignError('usage', '--payload and --certificate belong to a detached signature', {
      hint: 'Name it with --signature FILE, or leave them out.',
    })
  }
  if (second !== undefined) throw new CountersignError('usage', '--signature belongs to one image', { hint: 'Verify one image at a time.' })
  const demands = await demandsFromFlags(invocation, content, 'image')
  const reference = parseReference(subject)
  const digest = reference.digest ?? (await resolveImage(reference, connectionFromFlags(invocation))).digest
  const payloadFile = flags.text('payload')
  // A path of this machine is no name of an image: signatures in layout folders name none.
  const dockerReference = reference.place.kind === 'registry' ? formatPlace(reference.place) : ''
  const made = buildSimpleSigning({ dockerReference, digest, annotations: {} })
  const payload = payloadFile === undefined ? made : await readInput(payloadFile, maxPayloadBytes)
  const verification = await verifyEntity({
    entity: entityOf((await readBlobEvidence(invocation, undefined, undefined)).parts, payload),
    artifact: { kind: 'digest', digests: [digest] },
    policy: demands.policy,
    ...(demands.trustedRoot === undefined ? {} : { trustedRoot: demands.trustedRoot }),
    nowMs: terminal.nowMs,
    primitives: nodePrimitives,
  })
  if (!verification.ok) {
    terminal.err(failureMessage(verification, subject))
    return {
      subjects: [{ subject, ok: false, digest, signatures: [rejectedReport(verification)], failure: failureReport(verification) }],
      policy: demands.report,
    }
  }
  terminal.err('Verified OK\n')
  terminal.out(`\n[${cosignPayload(verification.evidence, { typed: subject, digest })}]\n`)
  return { subjects: [{ subject, ok: true, digest, signatures: [acceptedReport(verification.evidence)] }], policy: demands.report }
}

/** The detached signature, over the payload in place of a file. */
function entityOf({ evidence, ...parts }: BlobEvidence['parts'], payload: Uint8Array): SignedEntity {
  const entity = readBlobEntity(evidence, parts)
  if (entity.content.kind !== 'message') {
    throw new CountersignError('usage', '--signature is a whole bundle or envelope', {
      expected: 'a detached signature',
      hint: 'Store it beside the image, and verify without --signature.',
    })
  }
  return { ...entity, content: { kind: 'simple-signing', payload, signature: entity.content.signature } }
}
