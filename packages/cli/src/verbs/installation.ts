/** Opens an installation for a verb that administers it. */
import { userInfo } from 'node:os'
import type { OpenInstallation } from '@countersign/server/main/administer'
import type { Invocation } from '../command/invocation.ts'
import { demandServices, installationRequest } from './services-door.ts'

/** Does the work on the installation that the flags name: beside its server (`none`), or while there is none (`alone`). */
export async function withInstallation<T>(
  invocation: Invocation,
  lock: 'none' | 'alone',
  work: (installation: OpenInstallation) => Promise<T>,
): Promise<T> {
  await demandServices()
  const { administer } = await import('@countersign/server/main/administer')
  return administer(installationRequest(invocation), lock, work)
}

/** Who does it, for the audit log. */
export function operator(): { readonly name: string } {
  return { name: userInfo().username }
}
