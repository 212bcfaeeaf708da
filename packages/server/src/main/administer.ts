/** Small work on an installation beside a running server: what the command line does without going through the port. */
import type { PassphraseAccess } from '../base/config/passphrase.ts'
import { typedPassphraseSource } from '../base/config/passphrase.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/http/log.ts'
import { type ServiceAddresses, serviceAddresses } from './addresses.ts'
import { type Configuration, loadConfiguration } from './configuration.ts'
import { openPlatform, type PlatformOptions, type ServerPlatform } from './platform.ts'

/** Which installation, and the world of the process. */
export type AdministerRequest = {
  readonly data?: string
  readonly config?: string
  readonly passphrase?: string
  readonly access: PassphraseAccess
  readonly workingFolder: string
  readonly clock: Clock
  readonly log: (line: string) => void
}

/** An installation, opened. */
export type OpenInstallation = { readonly platform: ServerPlatform; readonly addresses: ServiceAddresses }

/**
 * Opens an installation that exists, does the work, and closes it. `none` beside a running server; `alone` for what must see nothing change.
 * Throws `data_folder_missing` where there is none, and never makes one; `data_folder_locked`, `key_password_wrong`.
 */
export async function administer<T>(
  request: AdministerRequest,
  lock: Extract<PlatformOptions['lock'], 'none' | 'alone'>,
  work: (installation: OpenInstallation) => Promise<T>,
): Promise<T> {
  const { configuration, data, access } = await loadInstallation(request)
  const log = quietLog(request.log)
  const platform = await openPlatform({ data, configuration, access, clock: request.clock, log, lock }, async () => undefined)
  try {
    return await work({ platform, addresses: serviceAddresses(platform.installation.publicUrl) })
  } finally {
    await platform.close()
  }
}

/** Where the installation is and how it is configured, before it is opened. A question is asked once. */
export async function loadInstallation(
  request: AdministerRequest,
): Promise<{ readonly configuration: Configuration; readonly data: string; readonly access: PassphraseAccess }> {
  const { data: named, config: file, access, workingFolder } = request
  const { configuration, data } = await loadConfiguration({ file, data: named, environment: access.environment, workingFolder })
  const keys =
    request.passphrase === undefined ? configuration.keys : { ...configuration.keys, passphrase: typedPassphraseSource(request.passphrase) }
  return { configuration: { ...configuration, keys }, data, access: askingOnce(access) }
}

function askingOnce(access: PassphraseAccess): PassphraseAccess {
  const { ask } = access
  if (ask === undefined) return access
  const asked = new Map<string, Promise<string>>()
  return {
    ...access,
    ask: (question) => {
      const answer = asked.get(question) ?? ask(question)
      asked.set(question, answer)
      return answer
    },
  }
}

/** Warnings and errors for people; the rest is for servers. */
function quietLog(write: (line: string) => void): Log {
  const say = (...what: readonly unknown[]): void => {
    const text = what.find((part) => typeof part === 'string')
    if (text !== undefined) write(text)
  }
  const nothing = (): void => undefined
  return { debug: nothing, info: nothing, warn: say, error: say }
}
