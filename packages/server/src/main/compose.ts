/** The only file that knows every room: makes the services of a process from its platform, and wires what one room needs of another. */
import type { Service } from '../base/http/service.ts'
import type { Platform } from './platform.ts'

/** What a process serves, and what the process does beside serving. */
export type Composition = {
  readonly services: readonly Service[]
  /** Paths that clients are told of, by the name of their service. */
  readonly addresses: Readonly<Record<string, string>>
  /** What a person types next, with the public URL in it. */
  readonly commands: readonly string[]
  /** What only a person at a terminal may see. */
  readonly forTerminal: () => Promise<readonly string[]>
}

/** Makes what the first start makes for each room: keys, roots, logs. Each part only where it is not there yet, so that it can be repeated. */
export async function composeFirstStart(_platform: Platform): Promise<void> {}

/** Opens the services of the roles that the configuration names. Throws when a key, root or log that should be there is not. */
export async function compose(_platform: Platform): Promise<Composition> {
  return { services: [], addresses: {}, commands: [], forTerminal: async () => [] }
}
