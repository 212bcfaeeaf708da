/** `countersign triangulate`. */
import { CountersignError } from '@countersign/core/failure'
import { legacyTag, type LegacySuffix } from '@countersign/core/oci/layouts'
import { formatPlace, parseReference } from '@countersign/core/oci/reference'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags, signatureRepository } from '../connection.ts'
import { resolveImage } from '../images/resolve.ts'
import type { Conclusion } from '../report/conclusion.ts'

const suffixes: Readonly<Record<string, LegacySuffix | 'digest'>> = { signature: 'sig', attestation: 'att', sbom: 'sbom', digest: 'digest' }

/** Prints the tag of the legacy layout, or the reference by digest. */
export async function triangulate(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [typed = ''] = subjects
  const type = flags.text('type') ?? 'signature'
  const suffix = Object.hasOwn(suffixes, type) ? suffixes[type] : undefined
  if (suffix === undefined)
    throw new CountersignError('usage', '--type names nothing', { expected: Object.keys(suffixes).join(', '), found: type.slice(0, 40) })
  const image = parseReference(typed)
  const { digest } = await resolveImage(image, connectionFromFlags(invocation))
  const place = formatPlace((signatureRepository(flags).signatureRepository ?? image).place)
  const reference = suffix === 'digest' ? `${formatPlace(image.place)}@${digest}` : `${place}:${legacyTag(digest, suffix)}`
  terminal.out(`${reference}\n`)
  return { subjects: [{ subject: typed, ok: true, digest, content: reference }] }
}
