/** `countersign public-key`. */
import { encodePublicKeyPem } from '@countersign/core/keys/public-key'
import { loadPublicHalf } from '@countersign/sdk/keys/key-reference'
import { nodeKeyIo } from '@countersign/sdk/keys/node-key-io'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { existingPassword } from '../signing/password.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Prints or writes the public half of a key, as PEM. */
export async function publicKeyVerb({ flags, terminal }: Invocation): Promise<Conclusion> {
  const reference = flags.required('key', 'Name the key: --key FILE.')
  const sources = { io: nodeKeyIo(terminal.environment), password: existingPassword(terminal) }
  const key = await inFile(reference, () => loadPublicHalf(reference, sources))
  const pem = encodePublicKeyPem(key)
  const file = flags.text('outfile')
  if (file === undefined) terminal.out(pem)
  else {
    await writeWhole(file, pem)
    terminal.err(`Public key written to ${file}\n`)
  }
  return {
    subjects: [{ subject: reference, ok: true, content: { type: key.type, pem }, ...(file === undefined ? {} : { files: [file] }) }],
  }
}
