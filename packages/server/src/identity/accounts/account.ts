/** What an account is, and what its name and address may look like. */
import { CountersignError } from '@countersign/core/failure'

/** Who may be named in a certificate. */
export type Account = {
  /** Random, for ever: the `sub` of its tokens. */
  readonly id: string
  readonly name: string
  /** As it stands in certificates. */
  readonly email: string
  /** `federated`: vouched for by another provider, which is named in `upstream`. */
  readonly kind: 'person' | 'service' | 'federated'
  readonly administrator: boolean
  /** Unix milliseconds. */
  readonly createdAt: number
  readonly disabledAt?: number
  /** Issuer that vouches for a federated account. */
  readonly upstream?: string
}

const namePattern = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/
// RFC 5321 §4.1.2, without quoted local parts and address literals: what an rfc822Name can hold and every verifier reads alike.
const local = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
const domain = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*'
const addressPattern = new RegExp(`^${local}@${domain}$`)

/** Checks the name of an account. Throws `account_malformed`. */
export function demandAccountName(name: string): string {
  if (namePattern.test(name)) return name
  throw new CountersignError('account_malformed', 'that cannot be the name of an account', {
    expected: '1 to 64 of a-z, 0-9, dot, dash and underscore, letters or digits at both ends',
    found: JSON.stringify(name.slice(0, 80)),
  })
}

/** Checks an e-mail address. Throws `account_malformed`. */
export function demandAddress(address: string): string {
  if (address.length <= 254 && addressPattern.test(address)) return address
  throw new CountersignError('account_malformed', 'that is no e-mail address that a certificate can hold', {
    expected: 'name@domain in ASCII, at most 254 characters',
    found: JSON.stringify(address.slice(0, 120)),
  })
}

/** What two spellings of one mailbox have in common; hostile otherwise: `Ada@x` beside `ada@x` would be two identities for one reader. */
export function addressKey(address: string): string {
  return address.toLowerCase()
}
