/** What a request of the registry protocol is for, in words; distribution-spec 1.1, and the tags that keep signatures. */

type Rule = readonly [pattern: RegExp, words: (match: readonly string[]) => string]

/** Paths below `/v2/NAME/`, the particular before the general. */
const rules: readonly Rule[] = [
  [/^\/v2\/?$/, () => 'whether a registry is there, and how to log in'],
  [/\/referrers\/[^/]+$/, () => 'what refers to the image (referrers API)'],
  [/\/tags\/list$/, () => 'whether writers left tags of their own'],
  [/\/manifests\/sha256-[0-9a-f]{64}\.(sig|att|sbom)$/, ([, kind]) => `signatures under cosign's tag .${kind}`],
  [/\/manifests\/sha256-[0-9a-f]{64}$/, () => 'the fallback index of what refers to the image'],
  [/\/manifests\/sha256-[0-9a-f]+\.[^/]+$/, () => 'what a writer left under a tag of its own'],
  [/\/manifests\/([^/]+)$/, ([, name]) => (name?.startsWith('sha256:') === true ? 'a manifest' : `the manifest of tag ${name ?? ''}`)],
  [/\/blobs\/uploads\//, () => 'storing a blob'],
  [/\/blobs\/[^/]+$/, () => 'the content of a signature'],
]

/** In words; `a token or redirected content` for what is not the registry protocol. */
export function purposeOf(method: string, { pathname }: URL): string {
  // The host that a token or a blob comes from need not be a registry, and its paths are its own.
  const path = pathname.slice(0, 1000)
  for (const [pattern, words] of rules) {
    const match = path.startsWith('/v2') ? pattern.exec(path) : null
    if (match !== null) return method === 'HEAD' ? `whether it is there: ${words(match)}` : words(match)
  }
  return 'a token or redirected content'
}
