/**
 * Which network an address belongs to. A registry may name other hosts (token service, redirect, upload location); such a name
 * must not lead into the network of whoever runs us: cloud metadata, services on loopback, neighbours.
 */
import { BlockList, isIP } from 'node:net'

/** Networks from the most to the least trusting; `special` (link-local, multicast, reserved) is never reached on a server's word. */
export type AddressClass = 'loopback' | 'private' | 'public' | 'special'

type Range = readonly [address: string, prefix: number, family: 'ipv4' | 'ipv6']

const ranges: Readonly<Record<Exclude<AddressClass, 'public'>, readonly Range[]>> = {
  loopback: [
    ['127.0.0.0', 8, 'ipv4'],
    ['::1', 128, 'ipv6'],
  ],
  private: [
    ['10.0.0.0', 8, 'ipv4'],
    ['172.16.0.0', 12, 'ipv4'],
    ['192.168.0.0', 16, 'ipv4'],
    ['100.64.0.0', 10, 'ipv4'],
    ['fc00::', 7, 'ipv6'],
  ],
  special: [
    ['0.0.0.0', 8, 'ipv4'],
    ['169.254.0.0', 16, 'ipv4'],
    ['192.0.0.0', 24, 'ipv4'],
    ['198.18.0.0', 15, 'ipv4'],
    ['224.0.0.0', 3, 'ipv4'],
    ['::', 128, 'ipv6'],
    ['64:ff9b::', 96, 'ipv6'],
    ['fe80::', 10, 'ipv6'],
    ['ff00::', 8, 'ipv6'],
    // The IPv6 address of a cloud's metadata service lies inside the private range.
    ['fd00:ec2::', 32, 'ipv6'],
  ],
}

/** The class of an IP address in text form; what is no address is `special`. IPv4-mapped IPv6 counts as its IPv4 address. */
export function classifyAddress(address: string): AddressClass {
  const plain = unbracket(address).replace(/%.*$/, '')
  const family = isIP(plain)
  if (family === 0) return 'special'
  for (const kind of ['special', 'loopback', 'private'] as const) {
    if (listOf(kind).check(plain, family === 4 ? 'ipv4' : 'ipv6')) return kind
  }
  return 'public'
}

const lists = new Map<AddressClass, BlockList>()

function listOf(kind: Exclude<AddressClass, 'public'>): BlockList {
  const known = lists.get(kind)
  if (known !== undefined) return known
  const list = new BlockList()
  for (const range of ranges[kind]) list.addSubnet(...range)
  lists.set(kind, list)
  return list
}

/** Whether a host named by a server at `from` may have an address of class `to`. */
export function mayReach(from: AddressClass, to: AddressClass): boolean {
  if (to === 'public') return true
  if (to === 'special') return false
  return from === 'loopback' || from === to
}

/**
 * Whether a host means this machine: 127.0.0.0/8, ::1, `localhost`. Names below `localhost` should too (RFC 6761 §6.3), but resolvers that ask
 * DNS for them are about, and whoever answers would get what only loopback may see.
 */
export function isLoopbackHost(hostname: string): boolean {
  const name = unbracket(hostname).toLowerCase()
  return name === 'localhost' || (isIP(name) !== 0 && classifyAddress(name) === 'loopback')
}

/** The class of a literal address; `undefined` for a name, which only DNS can class. */
export function literalClass(hostname: string): AddressClass | undefined {
  const name = unbracket(hostname)
  return isIP(name) === 0 ? undefined : classifyAddress(name)
}

function unbracket(hostname: string): string {
  return hostname.startsWith('[') && hostname.endsWith(']') ? hostname.slice(1, -1) : hostname
}
