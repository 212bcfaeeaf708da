/** Identities that accept everybody. */
import { nameMatches, strangerNames } from '@countersign/core/verify/identity'
import type { NameMatch, SignerDemand } from '@countersign/core/verify/policy'

/** Whether a demand takes any subject, or any issuer: `.*` and all that comes to the same. Throws `pattern_malformed`. */
export async function acceptsAnybody(signer: SignerDemand): Promise<boolean> {
  if (signer.kind !== 'identities') return signer.kind === 'any_certified_signer_UNSAFE'
  for (const { issuer, subject } of signer.identities) {
    if ((await acceptsEveryName(issuer)) || (await acceptsEveryName(subject))) return true
  }
  return false
}

async function acceptsEveryName(match: NameMatch): Promise<boolean> {
  if (match.kind === 'exact') return false
  for (const name of strangerNames) if (!(await nameMatches(name, match))) return false
  return true
}
