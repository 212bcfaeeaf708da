/** Where a PostgreSQL is and how it is reached: from what the operator wrote to the driver's words. */
import { CountersignError } from '@countersign/core/failure'
import type { ClientConfig } from 'pg'

/** How to reach a PostgreSQL. */
export type PostgresAddress = {
  /** `postgres://user@host:5432/database`, or `postgres://user@/database?host=/run/postgresql` for a socket. */
  readonly url: string
  /** Where the URL has none: the password, or what gives it at each connection. */
  readonly password?: string | (() => Promise<string>)
  /** PEM certificates that sign the server's; default: those of the system. */
  readonly ca?: string
  /** Connects off loopback without TLS, which shows everything to who listens; with the reason. */
  readonly plaintext_UNSAFE?: { readonly reason: string }
}

/** What the driver is given; `where` names the server in messages, without user and password. Throws `usage`. */
export function postgresClient(address: PostgresAddress): { readonly config: ClientConfig; readonly where: string } {
  const url = URL.parse(address.url)
  // The URL may hold a password: it is in no message.
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) throw malformed('it is no postgres:// URL')
  const unknown = [...url.searchParams.keys()].filter((key) => key !== 'host')
  if (unknown.length > 0) throw malformed(`it has the parameter ${unknown[0]}`)
  const socket = url.searchParams.get('host')
  if (socket !== null && (!socket.startsWith('/') || url.hostname !== '')) throw malformed('its host= is no folder of a socket')
  const database = decoded(url.pathname.slice(1))
  if (database === '' || database.includes('/')) throw malformed('it names no database')
  const host = socket ?? url.hostname.replaceAll(/^\[|\]$/g, '')
  if (host === '') throw malformed('it names no host')
  const password = url.password === '' ? address.password : decoded(url.password)
  return {
    where: socket === null ? `postgres://${url.host}/${database}` : `postgres:${socket}/${database}`,
    config: {
      host,
      database,
      port: url.port === '' ? 5432 : Number(url.port),
      ...(url.username === '' ? {} : { user: decoded(url.username) }),
      ...(password === undefined ? {} : { password }),
      ssl: transport(host, address),
    },
  }
}

/** TLS with a verified name, but on the machine itself: everything that the services know passes here. */
function transport(host: string, { ca, plaintext_UNSAFE }: PostgresAddress): ClientConfig['ssl'] {
  if (plaintext_UNSAFE !== undefined || (isLocal(host) && ca === undefined)) return false
  return { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) }
}

function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new CountersignError('usage', 'a percent sign in the URL of the database encodes nothing', { cause })
  }
}

function malformed(found: string): CountersignError {
  return new CountersignError('usage', `the URL of the database cannot be used: ${found}`, {
    expected: 'postgres://user@host:5432/database',
    found,
  })
}
