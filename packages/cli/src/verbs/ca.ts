/** `countersign ca …`. */
import { userInfo } from 'node:os'
import type { OpenInstallation } from '@countersign/server/main/administer'
import type * as intermediatesModule from '@countersign/server/main/intermediates'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { demandServices, installationRequest } from './services-door.ts'

type Intermediates = typeof intermediatesModule

/** Lists authorities. */
export function caList(invocation: Invocation): Promise<Conclusion> {
  return withAuthority(invocation, async ({ listAuthorities }, installation) => {
    const all = await listAuthorities(installation)
    const rows = all.map(({ name, status, createdAt }) => `${name.padEnd(24)} ${status.padEnd(8)} ${new Date(createdAt).toISOString()}\n`)
    invocation.terminal.out(rows.join(''))
    const authorities = all.map(({ name, role, status, createdAt }) => ({ name, role, status, createdAt }))
    return { subjects: [{ subject: 'authorities', ok: true, content: { authorities } }] }
  })
}

/** Makes an intermediate. */
export function caIntermediate(invocation: Invocation): Promise<Conclusion> {
  return withAuthority(invocation, async ({ addIntermediate }, installation) => {
    const { name, change } = await addIntermediate(installation, { name: userInfo().username })
    invocation.terminal.out(`${name}\n`)
    const next =
      change === 'proposed'
        ? 'the trust root that names it waits for the signatures of its keys'
        : `once clients have fetched the trust root: countersign ca activate ${name}`
    invocation.terminal.err(`Made ${name}, on standby; ${next}\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, change } }] }
  })
}

/** Activates an intermediate. */
export function caActivate(invocation: Invocation): Promise<Conclusion> {
  const name = invocation.subjects[0] ?? ''
  return withAuthority(invocation, async ({ activateIntermediate }, installation) => {
    const change = await activateIntermediate(installation, name, { name: userInfo().username })
    invocation.terminal.err(`${name} issues from now on; the one before ends in an hour\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, change } }] }
  })
}

async function withAuthority(
  invocation: Invocation,
  work: (authority: Intermediates, installation: OpenInstallation) => Promise<Conclusion>,
): Promise<Conclusion> {
  await demandServices()
  const [{ administer }, authority] = await Promise.all([
    import('@countersign/server/main/administer'),
    import('@countersign/server/main/intermediates'),
  ])
  return administer(installationRequest(invocation), 'none', (installation) => work(authority, installation))
}
