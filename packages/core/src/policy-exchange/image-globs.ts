/** Image patterns of other tools to globs of a policy and back. A glob of ours speaks of `registry/repository`, and of a tag after a colon. */

/** Splits a pattern at the colon before the tag; a colon before a slash, or before digits alone at the end of a host, belongs to a port. */
export function splitTag(pattern: string): { readonly place: string; readonly tag?: string } {
  const colon = pattern.lastIndexOf(':')
  if (colon === -1 || colon < pattern.lastIndexOf('/')) return { place: pattern }
  if (!pattern.includes('/') && /^:[0-9]+\**$/.test(pattern.slice(colon))) return { place: pattern }
  return { place: pattern.slice(0, colon), tag: pattern.slice(colon + 1) }
}

/** A wildcard of Kyverno, whose star crosses slashes and which sees `registry/repository:tag` as one text. `undefined`: it has a digest. */
export function fromKyvernoImage(wildcard: string): readonly string[] | undefined {
  const named = wildcard.replace(/@\*+$/, '')
  if (named.includes('@')) return undefined
  const { place, tag } = splitTag(named)
  const deep = place.replaceAll(/\*+/g, '**')
  const end = tag === undefined || /^\*+$/.test(tag) ? '' : `:${tag.replaceAll(/\*+/g, '**')}`
  // Official images of Docker Hub are `docker.io/name` there, `library/name` here.
  const official = /^docker\.io\/([^/]+)$/.exec(deep)?.[1]
  return [`${deep}${end}`, ...(official === undefined || official.includes('*') ? [] : [`docker.io/library/${official}${end}`])]
}

/** A glob of ours as wildcards of Kyverno. `exact` is false when they also match what the glob does not. */
export function toKyvernoImage(glob: string): { readonly wildcards: readonly string[]; readonly exact: boolean } {
  const { place, tag } = splitTag(glob)
  const exact = !/(?:^|[^*])\*(?!\*)/.test(place) && !place.includes('?')
  const wide = place.replaceAll(/\*+/g, '*')
  if (tag !== undefined) return { wildcards: [`${wide}:${tag.replaceAll(/\*+/g, '*')}`], exact }
  return { wildcards: wide.endsWith('*') ? [wide] : [`${wide}:*`, `${wide}@*`], exact }
}

/** A glob of policy-controller: one star within a segment, two over all; it sees the tag or digest too. */
export function fromControllerImage(glob: string): readonly string[] {
  const whole = glob === '*' ? 'index.docker.io/library/*' : glob === '*/*' ? 'index.docker.io/*/*' : glob
  const { place, tag } = splitTag(whole)
  return [tag === undefined || /^\*+$/.test(tag) ? place : whole]
}

/** A scope of containers-policy.json(5), which covers everything below it; `undefined` for one with a digest. */
export function fromScope(scope: string): readonly string[] | undefined {
  if (scope === '') return ['**']
  if (scope.includes('@')) return undefined
  if (scope.startsWith('*.')) return [`**${scope.slice(1)}/**`]
  const { place, tag } = splitTag(scope)
  if (tag !== undefined) return [scope]
  return place.includes('/') ? [place, `${place}/**`] : [`${place}/**`]
}

/** Globs of ours as scopes. `wider` holds what a scope covers beyond the globs; `impossible` the globs that no scope can stand for. */
export function toScopes(globs: readonly string[]): {
  readonly scopes: readonly string[]
  readonly wider: readonly { readonly scope: string; readonly lacking: string }[]
  readonly impossible: readonly string[]
} {
  const [scopes, wider, impossible] = [new Set<string>(), [] as { scope: string; lacking: string }[], [] as string[]]
  for (const glob of globs) {
    const below = /^([^*?]+)\/\*\*$/.exec(glob)?.[1]
    const subdomains = /^\*\*(\.[^*?/]+)\/\*\*$/.exec(glob)?.[1]
    if (glob === '**') scopes.add('')
    else if (subdomains !== undefined) scopes.add(`*${subdomains}`)
    else if (/[*?]/.test(below ?? glob)) impossible.push(glob)
    else {
      const scope = below ?? glob
      scopes.add(scope)
      const other = below === undefined ? `${glob}/**` : below
      const host = below !== undefined && !below.includes('/')
      if (!host && splitTag(scope).tag === undefined && !globs.includes(other)) wider.push({ scope, lacking: other })
    }
  }
  return { scopes: [...scopes], wider, impossible }
}
