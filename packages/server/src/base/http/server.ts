/** The one port: opens it, serves every service on it, and closes it without losing an answer. */
import type { AddressInfo } from 'node:net'
import type { Server as TlsServer } from 'node:https'
import { CountersignError } from '@countersign/core/failure'
import { codeOf } from '../data-folder/durable-file.ts'
import { formatListenAddress, isLoopback, type ListenAddress } from './address.ts'
import { type App, createApp, type HttpLimits, mountServices, refusalsOf } from './app.ts'
import { hostGuard } from './host-guard.ts'
import type { Log, LogTarget } from './log.ts'
import type { Service } from './service.ts'
import { readTls, type TlsFiles, type TlsWatch, watchTls } from './tls.ts'

/** What the port is made from. */
export type HttpOptions = {
  readonly listen: ListenAddress
  readonly tls?: TlsFiles & { readonly lookEveryMs: number }
  readonly limits: HttpLimits
  readonly log: LogTarget
  readonly trustedProxies: readonly string[]
  /** Names under which a listener on loopback is reached, beside `localhost`; requests to others are refused with 421. Other listeners take all. */
  readonly hosts?: readonly string[]
}

/** The port, not yet open; its log is the log of the process. */
export type HttpPort = {
  readonly log: Log
  /** Mounts the services and opens the port; gives where it listens, as `http://HOST:PORT`. Throws `listen_failed`. To be called once. */
  readonly open: (services: readonly Service[]) => Promise<string>
  /** Reads the certificate again; nothing without TLS. */
  readonly reload: () => Promise<void>
  /**
   * Stops: takes no new connection, answers what runs (what still runs at the deadline is cut off), then closes the services, the last mounted
   * first. Gives `false` when something was cut off. The second call waits for the first.
   */
  readonly drain: (deadlineMs: number) => Promise<boolean>
}

/** Prepares the port. Throws `insecure_transport` for plain http off loopback, `tls_unusable` for a certificate that cannot serve. */
export async function httpPort(options: HttpOptions): Promise<HttpPort> {
  const { listen, tls, limits, trustedProxies } = options
  if (tls === undefined && !isLoopback(listen.host)) {
    throw new CountersignError(
      'insecure_transport',
      `${formatListenAddress(listen)} is not a loopback address, and there is no certificate`,
      {
        hint: 'Give "tls" in the configuration, or listen on 127.0.0.1 behind a proxy that ends TLS.',
      },
    )
  }
  const app = createApp({ limits, log: options.log, trustedProxies, ...(tls === undefined ? {} : { tls: await readTls(tls) }) })
  const { log } = app.fastify
  let mounted: readonly Service[] = []
  let watch: TlsWatch | undefined
  let drained: Promise<boolean> | undefined
  return {
    log,
    open: async (services) => {
      mounted = services
      const guard = isLoopback(listen.host) ? hostGuard(options.hosts ?? []) : undefined
      app.door.refuse = refusalsOf(services)
      await mountServices(app, services, () => drained !== undefined, guard)
      const port = await listenOn(app, listen)
      if (tls !== undefined) watch = watchTls(tls, (context) => setContext(app, context), log, tls.lookEveryMs)
      return `${tls === undefined ? 'http' : 'https'}://${formatListenAddress({ host: listen.host, port })}`
    },
    reload: async () => watch?.reload(),
    drain: (deadlineMs) => {
      watch?.stop()
      return (drained ??= drain(app, mounted, deadlineMs))
    },
  }
}

/** Connections that may wait to be taken: with Node's 511, a crowd that comes at once would try again a second later, and then three. */
const backlog = 4096

async function listenOn({ fastify }: App, listen: ListenAddress): Promise<number> {
  try {
    await fastify.listen({ host: listen.host, port: listen.port, backlog, listenTextResolver: () => 'listening' })
  } catch (cause) {
    throw listenFailure(listen, cause)
  }
  return (fastify.server.address() as AddressInfo).port
}

/** What to say of an address that cannot be listened on. */
export function listenFailure(listen: ListenAddress, cause: unknown): unknown {
  const code = codeOf(cause)
  if (!/^E[A-Z]+$/.test(code)) return cause
  const [why, hint] = refusals[code] ?? [code, 'Listen on another address: --listen HOST:PORT.']
  return new CountersignError('listen_failed', `cannot listen on ${formatListenAddress(listen)}: ${why}`, { cause, hint })
}

const refusals: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  EADDRINUSE: ['another process listens there', 'End that process, or listen on another port: --listen HOST:PORT.'],
  EADDRNOTAVAIL: ['this machine has no such address', 'Listen on an address of this machine: --listen HOST:PORT.'],
  EACCES: ['this account may not', 'Listen on a port from 1024 on: --listen HOST:PORT.'],
}

function setContext({ servers }: App, context: Parameters<TlsServer['setSecureContext']>[0]): void {
  for (const server of servers) (server as unknown as TlsServer).setSecureContext(context)
}

async function drain({ fastify, servers }: App, services: readonly Service[], deadlineMs: number): Promise<boolean> {
  let complete = true
  const timer = setTimeout(() => {
    complete = false
    for (const server of servers) server.closeAllConnections()
  }, deadlineMs)
  // Answers that had begun before, and connections that nobody uses: they end as soon as they are idle.
  const idle = setInterval(() => {
    for (const server of servers) server.closeIdleConnections()
  }, 100)
  await fastify.close()
  clearInterval(idle)
  clearTimeout(timer)
  // One that cannot close must not keep those behind it from closing.
  for (const service of services.toReversed()) {
    try {
      await service.close?.()
    } catch (failure) {
      complete = false
      fastify.log.error({ err: failure, service: service.name }, 'service did not close')
    }
  }
  return complete
}
