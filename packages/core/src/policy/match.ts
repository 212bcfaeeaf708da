/** Whether an artifact is one that a policy or rule speaks of. */
import { compileGlob } from '../glob.ts'
import type { Digest } from '../digest.ts'
import { unreachable } from '../failure.ts'
import type { ImageReference } from '../oci/reference.ts'
import type { ArtifactMatch } from './model.ts'

/** What is judged. The caller computed the digests from bytes, and says under which name the artifact is meant to be used. */
export type PolicyArtifact =
  | {
      readonly kind: 'image'
      readonly reference: ImageReference
      /** Of the manifest or index; the same content in further hash functions too. */
      readonly digests: readonly Digest[]
      readonly mediaType?: string
      /** `os/architecture[/variant]` of an index; absent when nobody looked. */
      readonly platforms?: readonly string[]
    }
  | { readonly kind: 'file'; readonly path: string; readonly digests: readonly Digest[]; readonly mediaType?: string }

/** Answers for one artifact. */
export type ArtifactMatcher = (artifact: PolicyArtifact) => boolean

const dockerHub = 'index.docker.io'

/** Compiles the lists of a match. Globs were checked when the policy was read. */
export function compileMatch(match: ArtifactMatch): ArtifactMatcher {
  const images = match.images.map(compileImageGlob)
  const files = match.files.map(compileGlob)
  const named = images.length + files.length > 0
  return (artifact) => {
    if (match.mediaTypes.length > 0 && !match.mediaTypes.includes(artifact.mediaType ?? '')) return false
    if (!named) return true
    switch (artifact.kind) {
      case 'image':
        return images.some((matches) => matches(artifact.reference))
      case 'file':
        return files.some((matches) => matches(artifact.path))
      default:
        return unreachable(artifact)
    }
  }
}

/**
 * A glob over the parts of a reference, never over its text: `registry.example/**` does not match `registry.example.evil/x`, and a tag is
 * looked at only where the glob names one. A first segment without dot, colon or star is Docker Hub's, as in a reference. An image of a
 * layout or archive has no registry and no repository: no glob matches it.
 */
function compileImageGlob(glob: string): (reference: ImageReference) => boolean {
  const colon = glob.lastIndexOf(':')
  const tagged = colon > glob.lastIndexOf('/')
  const place = tagged ? glob.slice(0, colon) : glob
  const tag = tagged ? compileGlob(glob.slice(colon + 1)) : undefined
  const named = compileGlob(withRegistry(place))
  return ({ place, tag: found }) =>
    place.kind === 'registry' &&
    named(`${place.registry}/${place.repository}`) &&
    (tag === undefined || (found !== undefined && tag(found)))
}

function withRegistry(place: string): string {
  const slash = place.indexOf('/')
  const first = slash === -1 ? place : place.slice(0, slash)
  if (first === 'docker.io' && slash !== -1) return `${dockerHub}${place.slice(slash)}`
  if (first.includes('*') || first.includes('?')) return place
  if (slash !== -1 && (/[.:]/.test(first) || first === 'localhost')) return place
  return `${dockerHub}/${slash === -1 ? `library/${place}` : place}`
}
