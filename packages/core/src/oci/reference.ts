/** Image references: `registry/repo[:tag][@digest]`, `oci:DIR[:tag][@digest]`, `oci-archive:FILE[:tag][@digest]`. */
import { parseDigest, type Digest } from '../digest.ts'
import { CountersignError, unreachable } from '../failure.ts'

/** Where an image lives and which one is meant. A digest, where given, always wins over the tag. */
export type ImageReference = {
  readonly place:
    | { readonly kind: 'registry'; readonly registry: string; readonly repository: string }
    | { readonly kind: 'layout'; readonly directory: string }
    | { readonly kind: 'archive'; readonly file: string }
  readonly tag?: string
  readonly digest?: Digest
}

const maxCharacters = 4096
const maxRepositoryCharacters = 255
const maxHostCharacters = 262
const dockerHub = 'index.docker.io'

/** distribution-spec 1.1, "Pulling manifests": the grammar of tags and repository names. */
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/
const componentPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/
const hostPattern = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)(?::([0-9]{1,5}))?$/

/**
 * Reads a reference. Names are those of the distribution specification; upper case is refused, never folded.
 *
 * Without a registry the image is Docker Hub's, as in cosign: `name` is `index.docker.io/library/name`, and `docker.io` another spelling
 * of it. The first component is a registry when it contains `.` or `:` or is `localhost`, so that nothing local is ever looked for in
 * public. A registry reference with neither tag nor digest has the tag `latest`; one of a layout or archive has neither.
 * Throws `reference_malformed`.
 */
export function parseReference(text: string): ImageReference {
  if (text.length === 0 || text.length > maxCharacters || /\p{Cc}/u.test(text)) {
    throw malformed(text, `it has ${text.length} characters or a control character`, `1 to ${maxCharacters} printable characters`)
  }
  if (text.startsWith('oci:')) return inFiles(text, text.slice(4), (directory) => ({ kind: 'layout', directory }))
  if (text.startsWith('oci-archive:')) return inFiles(text, text.slice(12), (file) => ({ kind: 'archive', file }))
  const { rest, digest } = splitDigest(text, text)
  const { name, tag } = splitTag(rest)
  if (tag !== undefined && !tagPattern.test(tag))
    throw malformed(text, 'it has no valid tag', 'letters, digits, ".", "_" and "-", at most 128')
  const place = readPlace(text, name)
  if (digest !== undefined) return tag === undefined ? { place, digest } : { place, tag, digest }
  return { place, tag: tag ?? 'latest' }
}

/** The reference as text, whole: registry and tag are written even when they were implied. The inverse of {@link parseReference}. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${formatPlace(reference.place)}${tag}${digest}`
}

/** The place alone: `registry/repository`, `oci:DIR`, `oci-archive:FILE`. The first is what cosign signs as the docker reference. */
export function formatPlace(place: ImageReference['place']): string {
  switch (place.kind) {
    case 'registry':
      return `${place.registry}/${place.repository}`
    case 'layout':
      return `oci:${place.directory}`
    case 'archive':
      return `oci-archive:${place.file}`
    default:
      return unreachable(place)
  }
}

/** A tag as the distribution specification has it; `undefined` for anything else. */
export function parseTag(text: string): string | undefined {
  return tagPattern.test(text) ? text : undefined
}

/** Paths may hold ":" and "@": only what is shaped as a tag or digest at the end is one. */
function inFiles(text: string, path: string, placeOf: (path: string) => ImageReference['place']): ImageReference {
  const { rest, digest } = splitDigest(text, path)
  const split = splitTag(rest)
  const tag = split.tag === undefined ? undefined : parseTag(split.tag)
  const name = tag === undefined ? rest : split.name
  if (name === '') throw malformed(text, 'it names no file', 'a path after the colon')
  return { place: placeOf(name), ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) }
}

function splitDigest(text: string, rest: string): { readonly rest: string; readonly digest?: Digest } {
  const at = rest.lastIndexOf('@')
  const tail = at === -1 ? '' : rest.slice(at + 1)
  if (at === -1 || (text !== rest && !/^[A-Za-z0-9+._-]{1,32}:[0-9A-Fa-f]{32,}$/.test(tail))) return { rest }
  const digest = parseDigest(tail)
  if (digest === undefined) throw malformed(text, 'it has no valid digest', 'sha256: and 64 lower-case hex digits, or sha384, sha512')
  return { rest: rest.slice(0, at), digest }
}

/** A colon before a slash belongs to a port or path. */
function splitTag(rest: string): { readonly name: string; readonly tag?: string } {
  const colon = rest.lastIndexOf(':')
  return colon === -1 || rest.includes('/', colon) ? { name: rest } : { name: rest.slice(0, colon), tag: rest.slice(colon + 1) }
}

function readPlace(text: string, name: string): ImageReference['place'] {
  const slash = name.indexOf('/')
  const first = slash === -1 ? '' : name.slice(0, slash)
  const explicit = /[.:]/.test(first) || first === 'localhost'
  const registry = !explicit || first === 'docker.io' ? dockerHub : first
  const path = explicit ? name.slice(slash + 1) : name
  const repository = registry === dockerHub && !path.includes('/') ? `library/${path}` : path
  const port = registry.length > maxHostCharacters ? null : hostPattern.exec(registry)
  if (port === null || Number(port[1] ?? 1) > 65_535 || Number(port[1] ?? 1) === 0) {
    throw malformed(
      text,
      `${JSON.stringify(registry.slice(0, 120))} is no registry`,
      'a lower-case host name, an IPv4 or [IPv6] address, and a port',
    )
  }
  if (repository.length > maxRepositoryCharacters || !repository.split('/').every((component) => componentPattern.test(component))) {
    throw malformed(text, 'it has no valid repository name', 'lower-case letters, digits and single separators between slashes')
  }
  return { kind: 'registry', registry, repository }
}

function malformed(text: string, detail: string, expected: string): CountersignError {
  return new CountersignError('reference_malformed', `${JSON.stringify(text.slice(0, 200))} is not an image reference: ${detail}`, {
    expected,
    hint: 'Write registry/repository:tag, registry/repository@sha256:…, oci:DIR or oci-archive:FILE.',
  })
}
