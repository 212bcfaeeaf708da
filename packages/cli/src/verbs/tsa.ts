/** `countersign tsa …`. */
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { operator, withInstallation } from './installation.ts'

/** Vouches for the clock of this machine. */
export function tsaConfirmClock(invocation: Invocation): Promise<Conclusion> {
  return withInstallation(invocation, 'none', async (installation) => {
    const { confirmClock } = await import('@countersign/server/main/clock')
    const { sources } = await confirmClock(installation, operator())
    const time = new Date().toISOString()
    invocation.terminal.err(
      sources === 0
        ? `The clock of this machine, ${time}, is vouched for; the server stamps again within seconds\n`
        : `Recorded; but ${sources} time sources are configured, and what they say counts\n`,
    )
    return { subjects: [{ subject: 'clock', ok: true, content: { time } }] }
  })
}
