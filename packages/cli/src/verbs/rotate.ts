/** `countersign key rotate`, `countersign log rotate` and `countersign log freeze`. */
import { CountersignError } from '@countersign/core/failure'
import type { RotatableRole } from '@countersign/server/main/rotation'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { expiryFrom } from '../signing/terms.ts'
import { operator, withInstallation } from './installation.ts'

/** Rotates the key of any role. */
export function keyRotate(invocation: Invocation): Promise<Conclusion> {
  return rotate(invocation, (role) => role)
}

/** Starts the next shard of a log. */
export function logRotate(invocation: Invocation): Promise<Conclusion> {
  return rotate(invocation, (role) => (['ct', 'rekor1', 'rekor2'].includes(role) ? role : undefined))
}

async function rotate(invocation: Invocation, allowed: (role: RotatableRole) => RotatableRole | undefined): Promise<Conclusion> {
  const { subjects, terminal, flags } = invocation
  const after = flags.text('after')
  const planned = after === undefined ? {} : { signsFromMs: expiryFrom('after', after, terminal.nowMs) }
  return withInstallation(invocation, 'none', async (installation) => {
    const { rotatableRoles, rotateKey } = await import('@countersign/server/main/rotation')
    const asked = rotatableRoles.find((role) => role === subjects[0])
    const role = asked === undefined ? undefined : allowed(asked)
    if (role === undefined) {
      const roles = rotatableRoles.filter((each) => allowed(each) !== undefined)
      const hint =
        subjects[0] === 'audit' ? { hint: 'The audit log has one key for its life, with which countersign log fsck proves it.' } : {}
      throw new CountersignError('usage', `${subjects[0] ?? ''} is none of the roles`, { expected: roles.join(', '), ...hint })
    }
    const { name, change, signsFromMs } = await rotateKey(installation, role, operator(), planned)
    terminal.out(`${name}\n`)
    const from = signsFromMs === undefined ? undefined : new Date(signsFromMs).toISOString()
    const when = from === undefined ? 'within seconds' : `from ${from}`
    terminal.err(
      change === 'proposed'
        ? `Made ${name}; the trust root that names it waits for the signatures of its keys: countersign trust status\n`
        : `Made ${name}, and told clients of it; running servers sign with it ${when}\n`,
    )
    return { subjects: [{ subject: role, ok: true, content: { role, name, change, ...(from === undefined ? {} : { signsFrom: from }) } }] }
  })
}

/** Closes a log for ever. */
export async function logFreeze(invocation: Invocation): Promise<Conclusion> {
  const name = invocation.subjects[0] ?? ''
  return withInstallation(invocation, 'none', async (installation) => {
    const { freezeLog } = await import('@countersign/server/main/rotation')
    await freezeLog(installation, name, operator())
    invocation.terminal.err(`${name} takes no more entries; everybody may go on reading it\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, frozen: true } }] }
  })
}
