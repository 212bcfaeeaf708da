/** Puts a new key pair into files, never over others without being told to. */
import { access } from 'node:fs/promises'
import { CountersignError } from '@countersign/core/failure'
import type { KeyPairPem } from '@countersign/sdk/keys/generate'
import { writeKeyPair } from '@countersign/sdk/keys/key-files'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { confirm } from '../terminal/prompt.ts'

/** Asks before it overwrites, makes the pair only then, and writes `PREFIX.key` and `PREFIX.pub`. */
export async function storeKeyPair({ flags, terminal }: Invocation, prefix: string, make: () => Promise<KeyPairPem>): Promise<Conclusion> {
  const files = { privatePath: `${prefix}.key`, publicPath: `${prefix}.pub` }
  let force = flags.boolean('yes', false)
  if (!force) {
    for (const path of [files.privatePath, files.publicPath]) {
      if (!(await exists(path))) continue
      terminal.warn(`WARNING: ${path} exists. What was signed with an overwritten key can be verified no more with the new one.`)
      if (!(await confirm(terminal, `Overwrite ${path}?`))) {
        throw new CountersignError('file_exists', `${path} exists and was left as it is`)
      }
      force = true
    }
  }
  await writeKeyPair(files, await make(), { force })
  terminal.err(`Private key written to ${files.privatePath}\nPublic key written to ${files.publicPath}\n`)
  return { subjects: [{ subject: prefix, ok: true, files: [files.privatePath, files.publicPath] }] }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
