/** Puts a new key pair into files, never over others without being told to. */
import { access } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import { systemCode, unwritableFile } from '@countersign/sdk/file-failure'
import type { KeyPairPem } from '@countersign/sdk/keys/generate'
import { writeKeyPair } from '@countersign/sdk/keys/key-files'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { confirm } from '../terminal/prompt.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Asks before it overwrites, makes the pair only then, and writes `PREFIX.key` and `PREFIX.pub`. */
export async function storeKeyPair({ flags, terminal }: Invocation, prefix: string, make: () => Promise<KeyPairPem>): Promise<Conclusion> {
  const files = { privatePath: `${prefix}.key`, publicPath: `${prefix}.pub` }
  const force = flags.boolean('yes', false) || (await mayOverwrite(terminal, [files.privatePath, files.publicPath]))
  const pair = await make()
  await writeKeyPair(files, pair, { force }).catch((cause: unknown) => {
    // The names that the person knows and the reason, not the temporary name that failed first.
    const system = cause instanceof CountersignError && cause.code === 'io_failed' ? cause.cause : cause
    throw systemCode(system) === undefined || systemCode(system) === 'EEXIST'
      ? cause
      : unwritableFile(`${files.privatePath} and ${files.publicPath}`, system)
  })
  terminal.err(`Private key written to ${files.privatePath}\nPublic key written to ${files.publicPath}\n`)
  return { subjects: [{ subject: prefix, ok: true, files: [files.privatePath, files.publicPath] }] }
}

/** True when files of these names exist and the person says that they may go. Throws `file_exists` when not. */
async function mayOverwrite(terminal: Terminal, paths: readonly string[]): Promise<boolean> {
  const there: string[] = []
  for (const path of paths) if (await exists(path)) there.push(path)
  if (there.length === 0) return false
  const names = there.join(' and ')
  terminal.warn(`WARNING: ${names} would be overwritten. What was signed with an overwritten key cannot be verified with the new one.`)
  if (await confirm(terminal, `Overwrite ${names}?`)) return true
  throw new CountersignError(
    'file_exists',
    `${names} exist${there.length === 1 ? 's' : ''} and stay${there.length === 1 ? 's' : ''} as before`,
  )
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
