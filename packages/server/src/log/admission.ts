/** Who may add entries. Clients send no credentials to a log, so that it is the entry itself that must show where it comes from. */
import type { Awaitable } from '@countersign/core/primitives'
import type { ProposedEntry } from '@countersign/core/rekor/entry'

/** Yes, or why not (text for the sender). Signatures are verified after this: nothing in the entry is proven yet. */
export type Admitted = { readonly ok: true } | { readonly ok: false; readonly detail: string }

/** Decides on one entry. */
export type Admission = (entry: ProposedEntry) => Awaitable<Admitted>

/** For listeners that only the own machine reaches. */
export const admitAnyone: Admission = () => ({ ok: true })

/**
 * Entries by certificates that `isOurs` finds to be of the own authority, and by keys on a list (SubjectPublicKeyInfo, DER). Hostile: everybody
 * else would fill the log with what they like, under our name and for ever.
 */
export function admitOwn(isOurs: (entry: ProposedEntry) => Awaitable<boolean>, knownKeys: readonly Uint8Array[]): Admission {
  const keys = new Set(knownKeys.map((spki) => Buffer.from(spki).toString('base64')))
  return async (entry) => {
    const { signer } = entry
    if (keys.has(Buffer.from(signer.key.spki).toString('base64'))) return { ok: true }
    if (signer.kind === 'public-key') return { ok: false, detail: 'the key is not one that this log knows' }
    return (await isOurs(entry)) ? { ok: true } : { ok: false, detail: 'the certificate is not of an authority that this log knows' }
  }
}
