/** Names as a policy compares them, compiled once. */
import { CountersignError, unreachable } from '../failure.ts'
import { compileGlob } from '../glob.ts'
import { maxPatternLength } from '../verify/identity.ts'
import type { NameMatch } from '../verify/policy.ts'
import type { PolicyIdentity } from './model.ts'

/** Exact names compare code unit by code unit; patterns are RE2, anchored around the whole pattern, checked alone first so that none can close the group. */
export async function compileName(match: NameMatch, path: string): Promise<(name: string) => boolean> {
  const { value } = match
  switch (match.kind) {
    case 'exact':
      return (name) => name === value
    case 'glob':
      return compileGlob(value)
    case 'pattern': {
      const { RE2JS } = await import('re2js')
      if (value.length > maxPatternLength)
        throw new CountersignError('policy_malformed', `${path}: a pattern of ${value.length} characters`)
      try {
        RE2JS.compile(value)
        const pattern = RE2JS.compile(`^(?:${value})$`)
        return (name) => pattern.matches(name)
      } catch (cause) {
        throw new CountersignError('policy_malformed', `${path}: not a pattern of RE2: ${JSON.stringify(value.slice(0, 100))}`, { cause })
      }
    }
    default:
      return unreachable(match)
  }
}

/** Whether a pattern can stand for several signers. An exact name is one, whatever certificates carry it. */
export function isOpen(signer: PolicyIdentity['signer']): boolean {
  switch (signer.kind) {
    case 'keys':
      return false
    case 'certificate':
      return signer.subject.kind !== 'exact' || signer.issuer.kind !== 'exact'
    case 'x509':
      return signer.subject?.kind !== 'exact' && signer.commonName?.kind !== 'exact'
    default:
      return unreachable(signer)
  }
}
