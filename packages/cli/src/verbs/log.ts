/** `countersign log …`. */
import { CountersignError } from '@countersign/core/failure'
import type { InstallationProof } from '@countersign/server/main/fsck'
import type { Invocation } from '../command/invocation.ts'
import { failureMessage, failureText } from '../failure/message.ts'
import { type Conclusion, failureReport } from '../report/conclusion.ts'
import { beginProgress, type Progress } from '../terminal/progress.ts'
import { withInstallation } from './installation.ts'

/** Proves everything that the logs of an installation hold; what is wrong is named and never repaired. */
export async function logFsck(invocation: Invocation): Promise<Conclusion> {
  const { terminal } = invocation
  const proof = await withInstallation(invocation, 'alone', async (installation) => {
    const { fsckInstallation } = await import('@countersign/server/main/fsck')
    let progress: Progress | undefined
    const proven = await fsckInstallation(installation, {
      begin: (name, entries) => {
        progress?.end()
        progress = beginProgress(terminal, `proving ${name}`, entries, 'entries')
      },
      progress: (entries) => progress?.advance(entries),
    })
    progress?.end()
    return proven
  })
  for (const { name, size, root, tiles, rows } of proof.logs) {
    terminal.out(`${name.padEnd(12)} ${String(size).padStart(10)} entries  ${tiles} tiles, ${rows} rows  root ${root}\n`)
  }
  return concluded(proof, invocation)
}

function concluded({ ok, treeSize, logs, auditRecords, damage }: InstallationProof, { terminal }: Invocation): Conclusion {
  const fields = { ok, treeSize, logs: [...logs], auditRecords, ...(damage === undefined ? {} : { damage }) }
  const subject = 'logs'
  if (damage === undefined) {
    terminal.out(`Everything is as it was signed; ${auditRecords} records of the audit log too\n`)
    return { subjects: [{ subject, ok: true, content: fields }], fields }
  }
  const { where, detail, ...parts } = damage
  const failure = failureText(
    new CountersignError('log_altered', `${where}: ${detail}`, {
      ...parts,
      hint: 'Keep this folder as it is, restore a backup in another, and find out who or what changed it.',
    }),
  )
  terminal.err(failureMessage(failure))
  return { subjects: [{ subject, ok: false, content: fields, failure: failureReport(failure) }], fields }
}
