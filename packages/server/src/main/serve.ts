/** Starts a server, and stops it: from a command line to a port that answers. */
import { generatedPassphraseNotice } from '../base/config/passphrase.ts'
import { type HttpPort, httpPort } from '../base/http/server.ts'
import { compose, composeFirstStart, type Composition } from './compose.ts'
import type { Configuration } from './configuration.ts'
import { demandFreePort, hiddenCallers, planServing, portOptions, type ServeRequest } from './plan.ts'
import { openPlatform, type ServerPlatform } from './platform.ts'

/** A server that answers. */
export type Serving = {
  readonly publicUrl: string
  /** Where it listens, as a URL. */
  readonly listening: string
  readonly data: string
  readonly firstStart: boolean
  /** Every address that clients need, by name. */
  readonly addresses: Readonly<Record<string, string>>
  /** What a person should know now; without secrets. */
  readonly notices: readonly string[]
  /** What to type next, for people. */
  readonly commands: readonly string[]
  /** What only a person at a terminal may see, as a link that logs in. Each call makes a new one. */
  readonly forTerminal: () => Promise<readonly string[]>
  /** Reads the certificate again. */
  readonly reload: () => Promise<void>
  /** Stops; `false` when something was cut off. */
  readonly stop: () => Promise<boolean>
}

/** Starts a server. Throws with a code before it answers, or not at all. */
export async function serve(request: ServeRequest): Promise<Serving> {
  const plan = await planServing(request)
  const { configuration, data, first } = plan
  const port = await httpPort(portOptions(plan))
  for (const text of hiddenCallers(plan)) port.log.warn({}, text)
  // The public URL is stored for ever: not that of a port which somebody else has.
  if (plan.state === 'empty' && first !== undefined) await demandFreePort(plan.listen)
  const platform = await openPlatform(
    {
      data,
      configuration,
      access: request.access,
      clock: request.clock,
      log: port.log,
      lock: 'serve',
      ...(first === undefined ? {} : { first }),
      ...(request.step === undefined ? {} : { step: request.step }),
    },
    composeFirstStart,
  )
  try {
    return await open(port, platform, await compose(platform), configuration)
  } catch (failure) {
    await port.drain(0)
    await platform.close()
    throw failure
  }
}

async function open(
  port: HttpPort,
  platform: ServerPlatform,
  { services, addresses, commands, forTerminal }: Composition,
  configuration: Configuration,
): Promise<Serving> {
  const { data, installation, firstStart } = platform
  const listening = await port.open(services)
  const { publicUrl } = installation
  let stopped: Promise<boolean> | undefined
  const notices = firstStart && configuration.keys.passphrase.kind === 'generated' ? [generatedPassphraseNotice(data)] : []
  return {
    publicUrl,
    listening,
    data,
    firstStart,
    addresses: { ...addresses, healthz: `${publicUrl}/healthz`, readyz: `${publicUrl}/readyz`, metrics: `${publicUrl}/metrics` },
    notices,
    commands,
    forTerminal,
    reload: port.reload,
    stop: () => (stopped ??= stop(port, platform, configuration.limits.drainMs)),
  }
}

async function stop(port: HttpPort, platform: ServerPlatform, drainMs: number): Promise<boolean> {
  const { log } = platform
  log.info({}, 'stopping: no new connections')
  const complete = await port.drain(drainMs)
  await platform.close()
  log.info({}, complete ? 'stopped' : 'stopped; not everything ended in time')
  return complete
}
