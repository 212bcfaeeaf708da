/** Addresses that no URL from outside may reach: this machine, private networks, cloud metadata. */
import { BlockList, isIP } from 'node:net'

/** Which addresses a URL may have. */
export type AddressRule =
  /** Those of the public internet alone: the URL came from a token, or from what its issuer said. */
  | 'public'
  /** The operator configured the host: any. */
  | 'any'

let refused: BlockList | undefined

/** IANA special-purpose registries (RFC 6890): what is not globally reachable, and multicast. */
function refusedAddresses(): BlockList {
  if (refused !== undefined) return refused
  const list = new BlockList()
  const v4: readonly (readonly [string, number])[] = [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 3],
  ]
  const v6: readonly (readonly [string, number])[] = [
    ['::', 96],
    // IPv4-translated (RFC 2765 §2.1): a network with such a translator leads to any IPv4 address.
    ['::ffff:0:0:0', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001::', 23],
    ['2001:db8::', 32],
    ['2002::', 16],
    ['3fff::', 20],
    ['5f00::', 16],
    ['fc00::', 7],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ]
  for (const [net, prefix] of v4) list.addSubnet(net, prefix, 'ipv4')
  for (const [net, prefix] of v6) list.addSubnet(net, prefix, 'ipv6')
  refused = list
  return list
}

/** Whether an IP address is one of the public internet. IPv4 inside IPv6 is judged as IPv4; what is not an address is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 0) return false
  return !refusedAddresses().check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** The IP address that a URL's host is, without brackets; `undefined` for a name. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
  return isIP(bare) === 0 ? undefined : bare
}
