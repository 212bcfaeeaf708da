/** Signing and attesting images: the public functions. */
import { CountersignError } from '@countersign/core/failure'
import type { Descriptor } from '@countersign/core/oci/model'
import type { ImageReference } from '@countersign/core/oci/reference'
import type { SignedTerms } from '@countersign/core/verify/terms'
import { gate } from '../discover/bounded.ts'
import type { MergeOptions } from '../write/merge.ts'
import { planAttestation, planSignature, type SubjectPlan } from './plan.ts'
import { type ImageRepositories, withImageRepositories } from './repositories.ts'
import type { AttestImageRequest, SignedSubject, SignImageRequest } from './requests.ts'
import { describeReference, expandSubject, resolveSubject } from './subjects.ts'
import { signSubject } from './subject-signing.ts'

/** A request without the connection, for repositories that are open already. */
type Unconnected<Request> = Omit<Request, 'connection' | 'signatureRepository'>

/** What else a caller with open repositories may say. */
export type SigningOptions = { /** Unix milliseconds; default now. */ readonly nowMs?: number; readonly merge?: MergeOptions }

/**
 * Signs an image (or any OCI artifact) by digest, as cosign 3 does, and returns once what was written has been read back and verified.
 *
 * A tag is resolved to its digest first (event `resolved`). With `recursive`, every manifest of an index is signed, and the index.
 * Signing again what the same key has signed with the same content adds nothing (`alreadyThere`).
 * Throws `artifact_not_found`, `write_not_confirmed`, `manifest_malformed` (a tag holds what must not be overwritten), registry failures.
 *
 * @example
 * ```ts
 * const [signed] = await signImage({
 *   image, signer, layout: 'bundle', recursive: false, upload: true, annotations: { env: 'prod' }, connection,
 * })
 * console.log(signed?.reference)
 * ```
 */
export async function signImage(request: SignImageRequest): Promise<readonly SignedSubject[]> {
  return withImageRepositories(request, (repositories) => signImageIn(repositories, request))
}

/**
 * Attests something about an image: an in-toto statement whose predicate keeps its bytes, or a whole statement verbatim.
 *
 * Throws what {@link signImage} throws, and `subject_mismatch` when a verbatim statement does not name the image, `predicate_malformed`,
 * `usage` for a statement that claims to be a signature.
 *
 * @example
 * ```ts
 * const source = { kind: 'predicate', predicateType: 'https://spdx.dev/Document', predicate: sbom } as const
 * await attestImage({ image, signer, source, layout: 'bundle', recursive: false, upload: true, replace: false, connection })
 * ```
 */
export async function attestImage(request: AttestImageRequest): Promise<readonly SignedSubject[]> {
  return withImageRepositories(request, (repositories) => attestImageIn(repositories, request))
}

/** {@link signImage} in repositories that are open already. */
export async function signImageIn(
  repositories: ImageRepositories,
  request: Unconnected<SignImageRequest>,
  options: SigningOptions = {},
): Promise<readonly SignedSubject[]> {
  const name = request.containerIdentity ?? signedName(repositories, request.image)
  const terms = termsOf(request, signedName(repositories, request.image))
  const plan = (subject: Descriptor): SubjectPlan => planSignature(subject, request.annotations, name, terms)
  return signEach(repositories, { ...request, replace: false }, plan, options)
}

/** {@link attestImage} in repositories that are open already. */
export async function attestImageIn(
  repositories: ImageRepositories,
  request: Unconnected<AttestImageRequest>,
  options: SigningOptions = {},
): Promise<readonly SignedSubject[]> {
  const plan = (subject: Descriptor): SubjectPlan => planAttestation(subject, request.source, signedName(repositories, request.image))
  return signEach(repositories, request, plan, options)
}

/** The name of a repository goes into what is signed; the path of a folder on this machine does not. */
function signedName({ images }: ImageRepositories, { place }: ImageReference): string {
  return place.kind === 'registry' ? images.name : ''
}

function termsOf({ terms = {} }: Pick<SignImageRequest, 'terms'>, own: string): SignedTerms {
  const name = terms.name === true ? own : terms.name
  if (name === '') {
    throw new CountersignError('usage', 'an image outside of a registry has no name to bind its signature to', {
      hint: 'Give the name: --bind-name=REGISTRY/REPOSITORY.',
    })
  }
  return { ...(terms.expiresMs === undefined ? {} : { expiresMs: terms.expiresMs }), ...(name === undefined ? {} : { name }) }
}

type Common = Unconnected<Omit<AttestImageRequest, 'source'>>

async function signEach(
  repositories: ImageRepositories,
  request: Common,
  plan: (subject: Descriptor) => SubjectPlan,
  options: SigningOptions,
): Promise<readonly SignedSubject[]> {
  const { images, signatures } = repositories
  const signer = Promise.resolve(request.signer)
  // Awaited by each subject; a failure before that must not end the process as unhandled.
  signer.catch(() => undefined)
  const onEvent = request.onEvent ?? ((): void => {})
  const root = await resolveSubject(images, request.image)
  if (request.image.digest === undefined) {
    onEvent({ kind: 'resolved', reference: describeReference(images.name, request.image), digest: root.digest })
  }
  const subjects = request.recursive ? await expandSubject(images, root) : [root]
  const plans = subjects.map((subject) => ({ subject, plan: plan(subject) }))
  const signOne = async ({ subject, plan }: (typeof plans)[number]): Promise<SignedSubject> => ({
    subject,
    reference: `${images.name}@${subject.digest}`,
    signatures: await signSubject({
      repository: signatures,
      subject,
      plan,
      signer,
      layout: request.layout,
      upload: request.upload,
      nowMs: options.nowMs ?? Date.now(),
      replace: request.replace,
      onEvent,
      ...(options.merge === undefined ? {} : { merge: options.merge }),
    }),
  })
  const [first, ...listed] = plans
  const through = gate(4)
  const below = await Promise.all(listed.map((one) => through(() => signOne(one))))
  // Last: whoever finds an index signed may rely on all that it lists being so.
  return first === undefined ? below : [await signOne(first), ...below]
}
