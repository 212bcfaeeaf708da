/** Finds the real peers, and decides what their absence means. */
import { CountersignError } from '@countersign/core/failure'
import { findPeer } from '@countersign/testkit/peers'

/** The programs that the suite runs against. */
export type PeerName = 'cosign' | 'oras' | 'crane' | 'docker-registry' | 'gitsign' | 'rekor-cli'

/** True when a missing peer fails the run instead of skipping its tests. */
const peersRequired: boolean = process.env['CI'] === 'true' || process.env['COUNTERSIGN_REQUIRE_PEERS'] === '1'

/**
 * The names of the peers that are missing. With none, tests run; with some, tests are to be skipped, and a line says so.
 * Throws `usage` where peers are required.
 */
export function missingPeers(...names: readonly PeerName[]): readonly PeerName[] {
  const missing = names.filter((name) => findPeer(name) === undefined)
  if (missing.length === 0) return missing
  const detail = `${missing.join(', ')} not found; scripts/install-peers fetches them`
  if (peersRequired) throw new CountersignError('usage', detail)
  process.stderr.write(`skipped: ${detail}\n`)
  return missing
}

/** Where a peer is. Throws `usage` when it is not there. */
export function peer(name: PeerName): string {
  const path = findPeer(name)
  if (path === undefined) throw new CountersignError('usage', `${name} not found; scripts/install-peers fetches it`)
  return path
}
