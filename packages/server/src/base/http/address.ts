/** Where the process listens, and under which address others reach it. */
import { BlockList, isIP } from 'node:net'
import { CountersignError } from '@countersign/core/failure'

/** A host (name or IP address, without brackets) and a port; port 0 lets the system choose. */
export type ListenAddress = { readonly host: string; readonly port: number }

/** Reads `HOST:PORT`, with an IPv6 address in brackets. `undefined` for anything else. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/.exec(text)
  if (match === null) return undefined
  const [, v6, name, digits] = match
  const port = Number(digits)
  if (port > 65_535 || (v6 !== undefined && isIP(v6) !== 6)) return undefined
  return { host: v6 ?? (name as string), port }
}

/** The address as part of a URL. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can reach a host: 127.0.0.0/8, ::1, and the name `localhost` (RFC 6761 §6.3). Other names are not resolved. */
export function isLoopback(host: string): boolean {
  const kind = isIP(host)
  if (kind === 0) return host === 'localhost'
  return loopback.check(host, kind === 6 ? 'ipv6' : 'ipv4')
}

/** The host of a URL, an IPv6 address without its brackets. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

/** The URL stands in commands that people paste: a shell must find nothing in it. */
const plainPath = /^[A-Za-z0-9._~/-]*$/

/**
 * Reads a public URL: https, or http on loopback; no credentials, query or fragment; without a slash at its end.
 * Throws `config_malformed`, or `insecure_transport` for http elsewhere.
 */
export function parsePublicUrl(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new CountersignError('config_malformed', `${JSON.stringify(text.slice(0, 200))} is not a URL`, {
      cause,
      expected: 'https://HOST[:PORT]',
    })
  }
  if (!/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || /[?#]/.test(text) || !plainPath.test(url.pathname)) {
    throw new CountersignError('config_malformed', 'a public URL has a scheme, a host and perhaps a port and a plain path', {
      expected: 'https://HOST[:PORT]',
    })
  }
  if (url.protocol === 'http:' && !isLoopback(hostOf(url))) {
    throw new CountersignError('insecure_transport', `${url.origin} is plain http off loopback`, {
      hint: 'Identity tokens go over this address: give it https.',
    })
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
