/** Which algorithms a Rekor v2 log takes for a key (sigstore/rekor-tiles, pkg/algorithms; sigstore/architecture-docs, algorithm-registry.md). */
import { CountersignError } from '../failure.ts'
import { algorithmByName, digestAlgorithmFor, suits, type SignatureAlgorithm } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'

/** The only algorithm of each key, or of each size of RSA key, that goes over a digest and has a name in Sigstore's registry. */
export function defaultKeyDetails(key: PublicKey): SignatureAlgorithm {
  return digestAlgorithmFor(key)
}

/**
 * The algorithm that a request names, for the key in it.
 *
 * Only the key's default: clients rebuild the body from the bundle with that, so that an entry under another would verify nowhere.
 * Throws `log_entry_malformed`.
 */
export function keyDetailsFor(name: string, key: PublicKey): SignatureAlgorithm {
  const expected = defaultKeyDetails(key)
  const named = algorithmByName(name)
  if (named === undefined || !suits(named, key) || named.name !== expected.name) {
    throw new CountersignError('log_entry_malformed', 'the algorithm does not fit the key', {
      expected: expected.name,
      found: name.slice(0, 80),
    })
  }
  return named
}
