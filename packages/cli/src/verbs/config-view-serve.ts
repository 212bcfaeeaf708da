/** What the configuration document of the services sets, for `config view serve`: references to secrets, never secrets. */
import type { FlagInForce } from '../profile/in-force.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { demandServices } from './services-door.ts'

/** One setting of the document: its path, what is written there, and where. */
export type ServerSetting = { readonly path: string; readonly value: string; readonly place: string }

/** The settings of the document that `serve` would read with these flags. Throws `config_malformed` with line and column. */
export async function serverSettings(flags: readonly FlagInForce[], terminal: Terminal): Promise<readonly ServerSetting[]> {
  await demandServices()
  const { loadConfiguration } = await import('@countersign/server/main/configuration')
  const valueOf = (name: string): string | undefined => flags.find(({ flag, source }) => flag === name && source !== 'default')?.values[0]
  const { environment, workingFolder } = terminal
  const { settings } = await loadConfiguration({ file: valueOf('config'), data: valueOf('data'), environment, workingFolder })
  return settings.map(({ path, value, place }) => ({ path: path.replace(/^\$\.?/, ''), value: JSON.stringify(value), place }))
}
