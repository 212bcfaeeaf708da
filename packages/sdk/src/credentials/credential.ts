/** What a registry is shown, and where it came from. */

/** A secret for one registry. */
export type Secret =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged at the token service for access tokens. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A bearer token, sent to the registry as is. */
  | { readonly kind: 'registry_token'; readonly token: string }

/** A secret and the place where it was found, for messages. */
export type Credential = { readonly secret: Secret; readonly source: string }
