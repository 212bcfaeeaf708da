/** Who signed keyless: names in a verified certificate against the names that the verifier accepts. */
import { CountersignError, unreachable } from '../failure.ts'
import { matchesGlob } from '../glob.ts'
import type { Ledger } from './ledger.ts'
import type { IdentityMatch, NameMatch } from './policy.ts'

/** The names of a certificate whose chain was verified. */
export type CertifiedNames = {
  readonly issuer: string
  readonly subject: string
  /** Fulcio extensions by the last arc of their OID. */
  readonly extensions: ReadonlyMap<number, string>
}

/** Longest pattern, characters. RE2 takes time linear in the text, but its program grows with the pattern. */
export const maxPatternLength = 1024

/** Names that no demand has in common which means somebody: what matches all of them matches everybody. */
export const strangerNames: readonly string[] = [
  'x',
  'https://stranger.example/a/b.yml@refs/heads/main',
  'https://other.example',
  'somebody@stranger.example',
  'spiffe://stranger.example/ns',
]

/**
 * Proves that one of the identities matches: issuer, subject and every extension named. Refuses with `identity_mismatch`, or
 * `pattern_malformed` when a pattern of the verifier's does not compile, whatever else matches.
 */
export async function proveIdentity(names: CertifiedNames, identities: readonly IdentityMatch[], ledger: Ledger): Promise<void> {
  if (identities.length === 0) {
    throw new CountersignError('trust_missing', 'no identity was named that may sign', {
      hint: 'Name the issuer and subject of the signer.',
    })
  }
  let matched: IdentityMatch | undefined
  for (const identity of identities) {
    if ((await identityMatches(names, identity)) && matched === undefined) matched = identity
  }
  if (matched === undefined) {
    throw new CountersignError('identity_mismatch', 'the certificate belongs to somebody else', {
      expected: identities.slice(0, 8).map(describeIdentity).join(', or '),
      found: `${names.subject} (issuer ${names.issuer})`,
    })
  }
  ledger.held('identity', describeIdentity(matched))
}

/** Whether a name satisfies a match. Exact names compare code unit by code unit: no case folding, no normalisation. */
export async function nameMatches(name: string, match: NameMatch): Promise<boolean> {
  switch (match.kind) {
    case 'exact':
      return name === match.value
    case 'glob':
      return matchesGlob(match.value, name)
    case 'pattern':
      return patternMatches(name, match.value)
    default:
      return unreachable(match)
  }
}

async function identityMatches(names: CertifiedNames, identity: IdentityMatch): Promise<boolean> {
  // Every pattern is compiled even after a mismatch, so that a bad one never goes unnoticed.
  const results = [await nameMatches(names.issuer, identity.issuer), await nameMatches(names.subject, identity.subject)]
  for (const [arc, match] of identity.extensions ?? []) {
    const value = names.extensions.get(arc)
    results.push((await nameMatches(value ?? '', match)) && value !== undefined)
  }
  return results.every(Boolean)
}

/** RE2, anchored around the whole pattern: without the group, `^a|b$` would accept anything that ends in b. */
async function patternMatches(name: string, pattern: string): Promise<boolean> {
  if (pattern.length > maxPatternLength) {
    throw new CountersignError('pattern_malformed', `a pattern of ${pattern.length} characters`, {
      expected: `at most ${maxPatternLength}`,
    })
  }
  const { RE2JS } = await import('re2js')
  try {
    // First alone, so that no pattern can close the group, as in `a)|(b`.
    RE2JS.compile(pattern)
    return RE2JS.compile(`^(?:${pattern})$`).matches(name)
  } catch (cause) {
    throw new CountersignError('pattern_malformed', `not a pattern of RE2: ${JSON.stringify(pattern.slice(0, 100))}`, { cause })
  }
}

function describeIdentity({ issuer, subject, extensions }: IdentityMatch): string {
  const further = [...(extensions ?? [])].map(([arc, match]) => `, 1.3.6.1.4.1.57264.1.${arc} ${describeName(match)}`).join('')
  return `subject ${describeName(subject)}, issuer ${describeName(issuer)}${further}`
}

function describeName({ kind, value }: NameMatch): string {
  return kind === 'exact' ? value : `${kind} ${value}`
}
