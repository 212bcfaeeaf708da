/** `countersign download signature`, `download attestation` and `download sbom`. */
import { CountersignError } from '@countersign/core/failure'
import { legacyTag } from '@countersign/core/oci/layouts'
import { parseManifest } from '@countersign/core/oci/manifest'
import { parseReference } from '@countersign/core/oci/reference'
import { createRegistryRun, type RegistryRun } from '@countersign/sdk/open-repository'
import { discoverSignatures } from '@countersign/sdk/discover/discover'
import type { Discovery } from '@countersign/sdk/discover/found'
import type { Repository, RepositoryReader } from '@countersign/sdk/registry/repository'
import type { Digest } from '@countersign/core/digest'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { predicateTypeNamed } from '../demands/predicate-type.ts'
import { resolvePlatform } from '../images/resolve.ts'
import { type Claim, claimOf } from '../images/claim.ts'
import { failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { storedSignature } from '../report/stored.ts'

/** Prints every signature as it is stored. */
export function downloadSignature(invocation: Invocation): Promise<Conclusion> {
  return download(invocation, 'no_signature', (claim) => claim.kind !== 'attestation')
}

/** Prints every attestation as it is stored. */
export function downloadAttestation(invocation: Invocation): Promise<Conclusion> {
  const type = invocation.flags.text('predicate-type')
  const wanted = type === undefined ? undefined : predicateTypeNamed(type, '--predicate-type')
  return download(
    invocation,
    'no_attestation',
    (claim) => claim.kind === 'attestation' && (wanted === undefined || claim.predicateType === wanted),
  )
}

async function download(
  invocation: Invocation,
  none: 'no_signature' | 'no_attestation',
  wanted: (claim: Claim) => boolean,
): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const [subject = ''] = subjects
  return inRepositories(invocation, async (images, signatures) => {
    const image = await resolvePlatform(images, parseReference(subject), invocation.flags.text('platform'))
    const discovery = await discoverSignatures(signatures, image)
    const found = discovery.found.filter((entity) => wanted(claimOf(entity)))
    for (const entity of found) terminal.out(`${storedSignature(entity)}\n`)
    if (found.length === 0) throw nothing(discovery, none, image.digest)
    for (const failure of discovery.unreadable) terminal.warn(`WARNING: there may be more: ${failure.message}`)
    const unreadable = discovery.unreadable.map((failure) => failureReport(failureText(failure)))
    return { subjects: [{ subject, ok: true, digest: image.digest, content: found.map((entity) => storedSignature(entity)), unreadable }] }
  })
}

/** Nothing found is "unsigned" only when everything could be read. */
function nothing(discovery: Discovery, none: 'no_signature' | 'no_attestation', digest: Digest): CountersignError {
  const [open] = discovery.unreadable
  return open ?? new CountersignError(none, `no ${none === 'no_signature' ? 'signature' : 'attestation'} of ${digest} was found`)
}

const maxSbomBytes = 128 * 1024 * 1024

/** Prints the SBOM under the tag `.sbom`. */
export async function downloadSbom(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  terminal.warn('WARNING: an attached SBOM is not signed: anybody who may write to the repository can have put it there.')
  return inRepositories(invocation, async (images, signatures) => {
    const image = await resolvePlatform(images, parseReference(subject), flags.text('platform'))
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

/** Opens the repository of the image and that of its signatures, and ends the run. */
export async function inRepositories(
  invocation: Invocation,
  work: (images: RepositoryReader, signatures: Repository) => Promise<Conclusion>,
): Promise<Conclusion> {
  const run: RegistryRun = createRegistryRun(connectionFromFlags(invocation))
  try {
    const { place } = parseReference(invocation.subjects[0] ?? '')
    const elsewhere = signatureRepository(invocation.flags).signatureRepository
    return await work(await run.open(place), await run.open(elsewhere?.place ?? place))
  } finally {
    run.close()
  }
}
