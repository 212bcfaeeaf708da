/** Where a run remembers the revocation lists that it has accepted: `--revocation-state DIR`, else the state folder of the account. */
import { join } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { RevocationMemory } from '@countersign/sdk/policy/revocation-memory'
import type { Invocation } from '../command/invocation.ts'

/**
 * Opens it; `undefined` with `--no-state`, and where there is no home. In the folder of the account, what cannot be written (a container that is
 * read-only) is a warning: the list was judged all the same. In a folder that was named it is a failure.
 */
export async function memoryFromFlags({ flags, terminal }: Invocation): Promise<RevocationMemory | undefined> {
  const named = flags.text('revocation-state')
  if (flags.boolean('no-state', false)) {
    if (named === undefined) return undefined
    throw new CountersignError('usage', '--no-state and --revocation-state contradict each other', { hint: 'Give one of them.' })
  }
  const folder = named ?? accountFolder(terminal.environment)
  if (folder === undefined) return undefined
  const { openRevocationMemory } = await import('@countersign/sdk/policy/revocation-memory')
  const memory = openRevocationMemory(folder)
  if (named !== undefined) return memory
  return {
    seen: memory.seen,
    remember: async (source, list) => {
      try {
        await memory.remember(source, list)
      } catch (cause) {
        if (!(cause instanceof CountersignError) || cause.code !== 'io_failed') throw cause
        terminal.warn(`WARNING: ${cause.message}: that version ${list.version} of the revocations ${list.name} was seen is not remembered.`)
      }
    },
  }
}

/** XDG Base Directory Specification: state that should persist. */
function accountFolder(environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const { XDG_STATE_HOME: state, HOME: home } = environment
  // The specification has relative paths ignored.
  const base = state?.startsWith('/') === true ? state : home === undefined || home === '' ? undefined : join(home, '.local', 'state')
  return base === undefined ? undefined : join(base, 'countersign', 'revocations')
}
