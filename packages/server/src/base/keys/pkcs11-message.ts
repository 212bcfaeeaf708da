/** What is said between the server and its signer process. */

/** A request; `id` is given back with the answer. */
export type SignerRequest = { readonly id: number } & (
  | { readonly kind: 'open'; readonly module: string; readonly token: string; readonly pin: string; readonly sessions: number }
  | { readonly kind: 'list' }
  | { readonly kind: 'find'; readonly name: string }
  | { readonly kind: 'create'; readonly name: string; readonly curve: TokenCurve }
  | { readonly kind: 'sign'; readonly name: string; readonly digest: Uint8Array }
  | { readonly kind: 'remove'; readonly name: string }
)

/** Curves of keys on tokens. */
export type TokenCurve = 'ec-p256' | 'ec-p384'

/** An answer: names, a public key (point and curve), a signature (r‖s), nothing; or why not. */
export type SignerAnswer = { readonly id: number } & (
  | { readonly kind: 'done' }
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'key'; readonly curve: TokenCurve; readonly point: Uint8Array }
  | { readonly kind: 'signature'; readonly signature: Uint8Array }
  | { readonly kind: 'failed'; readonly reason: 'missing' | 'exists' | 'pin' | 'other'; readonly detail: string }
)
