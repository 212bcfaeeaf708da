/** The door to the services: a package of its own beside the command, which the single-file executable does not hold. */
import { CountersignError } from '@countersign/core/failure'
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
