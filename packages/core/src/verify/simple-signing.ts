/** cosign's legacy payload ("simple signing", cosign specs/SIGNATURE_SPEC.md): a small JSON document that names a manifest digest. */
import { parseDigest, type Digest } from '../digest.ts'
import { type JsonValue, parseJsonAs } from '../json/parse.ts'
import { documentPlace, isAbsent, openMembers, optional, readObject, refuse, text } from '../json/shape.ts'

/** What a payload says. Only the digest and the annotations are ever relied on. */
export type SimpleSigning = {
  /** `critical.image.docker-manifest-digest` */
  readonly digest: Digest
  /** `critical.identity.docker-reference`: what the signer called the repository; authenticated, but not a place that was checked. */
  readonly dockerReference: string
  /** `optional` as it stands; anything, also nothing. */
  readonly optional: JsonValue | undefined
  /** The members of `optional` that are strings. */
  readonly annotations: Readonly<Record<string, string>>
}

/** Reads a payload of at most 64 KiB; as in cosign, everything but the digest may be missing. Throws `bundle_malformed`. */
export function parseSimpleSigning(payload: Uint8Array): SimpleSigning {
  const { value } = parseJsonAs('bundle_malformed', 'the simple-signing payload', payload, { maxBytes: 64 * 1024, maxDepth: 16 })
  const document = openMembers(documentPlace(value, 'bundle_malformed'))
  const critical = openMembers(document('critical'))
  const image = openMembers(critical('image'))
  const digest = parseDigest(text(image('docker-manifest-digest')))
  if (digest === undefined) return refuse(image('docker-manifest-digest'), 'not a digest')
  const identity = optional(critical('identity'), openMembers)
  const reference = identity === undefined ? undefined : optional(identity('docker-reference'), text)
  const annotations: Record<string, string> = Object.create(null) as Record<string, string>
  if (!isAbsent(document('optional'))) {
    for (const [name, member] of Object.entries(readObject(document('optional')))) {
      if (typeof member === 'string') annotations[name] = member
    }
  }
  return { digest, dockerReference: reference ?? '', optional: document('optional').value, annotations }
}
