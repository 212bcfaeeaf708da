/** The images that a file mentions, each with its place in the text, so that it can be verified, named in a message, and replaced. */

/** What a file is. */
export type ManifestKind = 'kubernetes' | 'compose' | 'dockerfile' | 'helm-values' | 'image-list'

/** One place of a file where an image is named. Hostile: nothing here has been parsed as a reference or verified. */
export type ImageMention = {
  /** The reference as whoever runs the file would read it: variables resolved, parts joined. Of a skipped mention what is written there. */
  readonly text: string
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1, in UTF-16 units. */
  readonly column: number
  /** UTF-16 offset in the file's text of what would be replaced: the value without its quotes. */
  readonly start: number
  /** The offset after it. */
  readonly end: number
  /** Where in the structure, e.g. `spec.template.spec.containers[0].image` or `COPY --from`. */
  readonly path: string
  /** Kubernetes: the object that it belongs to, e.g. `Deployment/web`. */
  readonly object?: string
  /** Helm values that name an image in parts: `text` is whole all the same, and the place holds only the tag or the digest of it. */
  readonly part?: 'tag' | 'digest'
  /** Dockerfiles: what the final stage is built from. */
  readonly finalBase?: true
  /** Why this is not an image to fetch: a build stage, `scratch`, something built here, a variable without a value. */
  readonly skip?: string
  /** With `skip`: an image is meant, and which one cannot be told from what is given. Nobody may pass over it as if it were verified. */
  readonly unresolved?: true
}

/** All of them, in the order of the text. */
export type MentionedImages = { readonly kind: ManifestKind; readonly images: readonly ImageMention[] }

/** What else is known when a file is read. */
export type Given = {
  /** Build arguments of Dockerfiles; variables of Compose files that go before all others. */
  readonly variables?: ReadonlyMap<string, string>
  /** For what `variables` and the file leave open: the environment, as `docker compose` and cosign's `dockerfile verify` use it. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Of Compose files alone: their `.env`. A builder reads none, so a Dockerfile must not mean another image because of one beside it. */
  readonly environmentFile?: ReadonlyMap<string, string>
}

/** A file of at most so many UTF-16 units is read. 8 Mi: Helm output with large custom resource definitions is about 3. */
export const maxManifestCharacters: number = 8 * 1024 * 1024

/** At most so many images in one file. */
export const maxMentions: number = 10_000
