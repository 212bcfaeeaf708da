/** `countersign download signature`, `download attestation` and `download sbom`. */
import type { Digest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { maxDocumentBytes } from '@countersign/core/json/parse'
import { legacyTag } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import { parseReference } from '@countersign/core/oci/reference'
import { downloadAttestations, type Downloaded, downloadSignatures } from '@countersign/sdk/discover/accessories'
import type { RepositoryReader } from '@countersign/sdk/registry/repository'
import { withImageRepositories } from '@countersign/sdk/sign/repositories'
import type { Invocation } from '../command/invocation.ts'
import { imagePlaces } from '../connection.ts'
import { predicateTypeNamed } from '../demands/predicate-type.ts'
import { failureText } from '../failure/message.ts'
import { resolvePlatform } from '../images/resolve.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { storedSignature } from '../report/stored.ts'

/** Prints every signature as it is stored. */
export function downloadSignature(invocation: Invocation): Promise<Conclusion> {
  return download(invocation, 'no_signature', downloadSignatures)
}

const provers = [
  'key',
  'policy',
  ...['identity', 'identity-regexp', 'oidc-issuer', 'oidc-issuer-regexp'].map((name) => `certificate-${name}`),
]

/** Prints attestations: those that a key, an identity or a policy proves, or, when none is given, every one as it is stored. */
export async function downloadAttestation(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const flag = flags.text('type') === undefined ? 'predicate-type' : 'type'
  const name = flags.text(flag)
  const type = name === undefined ? undefined : predicateTypeNamed(name, `--${flag}`)
  if (provers.some((prover) => flags.list(prover).length > 0))
    return (await import('./download-verified.ts')).downloadVerified(invocation, type)
  if (flags.boolean('predicate-only', false))
    throw new CountersignError('usage', '--predicate-only prints what was verified, and nothing says who must have signed', {
      hint: 'Give --key, an identity or --policy.',
    })
  terminal.err('Nothing was verified; --key, an identity or --policy makes sure of what is printed.\n')
  return download(invocation, 'no_attestation', (repository, image) => downloadAttestations(repository, image, type))
}

async function download(
  invocation: Invocation,
  none: 'no_signature' | 'no_attestation',
  find: (repository: RepositoryReader, image: { readonly digest: Digest }) => Promise<Downloaded>,
): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  const reference = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, reference), async ({ images, signatures }) => {
    const { digest } = await resolvePlatform(images, reference, flags.text('platform'))
    const { found, unreadable } = await find(signatures, { digest })
    const content = found.map(storedSignature)
    for (const line of content) terminal.out(`${line}\n`)
    // Nothing found is "unsigned" only when everything could be read.
    if (found.length === 0)
      throw (
        unreadable[0] ?? new CountersignError(none, `no ${none === 'no_signature' ? 'signature' : 'attestation'} of ${digest} was found`)
      )
    for (const failure of unreadable) terminal.warn(`WARNING: there may be more: ${failure.message}`)
    return {
      subjects: [{ subject, ok: true, digest, content, unreadable: unreadable.map((failure) => failureReport(failureText(failure))) }],
    }
  })
}

const maxSbomBytes = maxDocumentBytes

/** Prints the SBOM under the tag `.sbom`. */
export async function downloadSbom(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  terminal.warn('WARNING: an attached SBOM is not signed: anybody who may write to the repository can have put it there.')
  const reference = parseReference(subject)
  return withImageRepositories(imagePlaces(invocation, reference), async ({ images, signatures }) => {
    const image = await resolvePlatform(images, reference, flags.text('platform'))
    const tag = legacyTag(image.digest, 'sbom')
    const stored = await signatures.manifest({ tag })
    const manifest = stored === undefined ? undefined : parseManifest(stored.bytes, stored.mediaType)
    const layer = manifest?.kind === 'manifest' ? manifest.layers[0] : undefined
    if (layer === undefined)
      throw new CountersignError('no_attestation', `no SBOM is attached to ${image.digest}`, {
        expected: `the tag ${tag}`,
        hint: 'SBOMs are mostly attested today: countersign download attestation --predicate-type spdxjson.',
      })
    if (layer.size > maxSbomBytes)
      throw new CountersignError('limit_exceeded', 'the SBOM is too large', {
        expected: `at most ${maxSbomBytes} bytes`,
        found: `${layer.size}`,
      })
    // Nothing is printed before the digest of the whole has been checked.
    const parts: Uint8Array[] = []
    for await (const part of signatures.blob(layer)) parts.push(Uint8Array.from(part))
    for (const part of parts) terminal.out(part)
    return {
      subjects: [
        { subject, ok: true, digest: image.digest, content: { mediaType: layer.mediaType, digest: layer.digest, size: layer.size } },
      ],
    }
  })
}
