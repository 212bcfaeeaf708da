/** `countersign backup` and `countersign restore`. */
import { resolve } from 'node:path'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { beginProgress, type Progress } from '../terminal/progress.ts'
import { operator } from './installation.ts'
import { demandServices, installationRequest } from './services-door.ts'

/** Saves an installation beside its running server. */
export async function backup(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  await demandServices()
  const { backUp } = await import('@countersign/server/main/backup')
  const file = resolve(terminal.workingFolder, subjects[0] ?? '')
  const { bytes, files, logs } = await backUp(installationRequest(invocation), file)
  const sizes = logs.map(({ name, size }) => `${name} ${size}`).join(', ')
  terminal.err(`Saved ${files} files in ${bytes} bytes; entries of the logs: ${sizes}\n`)
  terminal.err('The passphrase of the installation opens it, and is not in it: keep both, apart from each other\n')
  terminal.out(`${file}\n`)
  return { subjects: [{ subject: file, ok: true, files: [file], content: { bytes, files, logs: [...logs] } }] }
}

/** Makes an installation of a backup. */
export async function restore(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  await demandServices()
  const server = await import('@countersign/server/main/restore')
  const file = resolve(terminal.workingFolder, subjects[0] ?? '')
  let progress: Progress | undefined
  const restored = await server.restore(installationRequest(invocation), file, operator(), {
    begin: (name, entries) => {
      progress?.end()
      progress = beginProgress(terminal, `proving ${name}`, entries, 'entries')
    },
    progress: (entries) => progress?.advance(entries),
  })
  progress?.end()
  const { data, publicUrl, createdAt, shards, proposed, proof } = restored
  const saved = new Date(createdAt).toISOString()
  terminal.err(`Restored ${publicUrl} as it was on ${saved}, every log proven\n`)
  for (const { frozen, size, next } of shards) terminal.err(`${frozen} is frozen with ${size} entries, ${next} follows\n`)
  terminal.err(`What happened after ${saved} is not known here: disable accounts and revoke identities again that were ended since\n`)
  if (proposed) terminal.err('The trust root that names the new logs waits for the signatures of its keys: countersign trust status\n')
  terminal.out(`${data}\n`)
  const content = { data, publicUrl, createdAt: saved, shards: [...shards], proposed, logs: [...proof.logs] }
  return { subjects: [{ subject: file, ok: true, content }] }
}
