/** The door to the services: a package of its own beside the command, which the single-file executable does not hold. */
import { CountersignError } from '@countersign/core/failure'
import type { AdministerRequest } from '@countersign/server/main/administer'
import type { Invocation } from '../command/invocation.ts'
import { askPassword } from '../terminal/prompt.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Throws `not_supported` in the single-file executable. */
export async function demandServices(): Promise<void> {
  const { isSea } = await import('node:sea')
  if (!isSea()) return
  throw new CountersignError('not_supported', 'the single-file executable signs and verifies; the services are not in it', {
    hint: 'Use the npm package or the container image for this verb.',
  })
}

/** What the services may see of the environment, and how they ask a person; nobody is asked without a terminal. */
export function servicesAccess(terminal: Terminal): {
  readonly environment: Terminal['environment']
  readonly ask?: (question: string) => Promise<string>
} {
  const { environment } = terminal
  return terminal.inIsTerminal ? { environment, ask: (question) => askPassword(question, false) } : { environment }
}

/** Which installation, as the flags of the verbs that administer one say. */
export function installationRequest({ flags, terminal }: Invocation): AdministerRequest {
  const named = (name: string): object => (flags.text(name) === undefined ? {} : { [name]: flags.text(name) })
  return {
    ...named('data'),
    ...named('config'),
    ...named('passphrase'),
    access: servicesAccess(terminal),
    workingFolder: terminal.workingFolder,
    clock: Date.now,
    log: (line) => terminal.warn(line),
  }
}
