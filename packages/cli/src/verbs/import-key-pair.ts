/** `countersign import-key-pair`. */
import { importPrivateKey } from '@countersign/sdk/keys/import-key'
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { newPassword } from '../signing/password.ts'
import { storeKeyPair } from '../signing/store-key-pair.ts'
import { readInput } from '../terminal/input.ts'
import { askPassword } from '../terminal/prompt.ts'

const maxBytes = 65_536

/** Encrypts a private key of another tool and writes the pair to two files. */
export async function importKeyPairVerb(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const path = flags.required('key', 'Name the private key to import: --key FILE.')
  const pem = await readInput(path, maxBytes)
  const inputPassword = await passwordOfInput(invocation, pem)
  return storeKeyPair(invocation, flags.text('output-key-prefix') ?? 'import-cosign', async () => {
    const password = await newPassword(terminal, 'Password for the imported private key')
    return inFile(path, () => importPrivateKey({ pem, ...(inputPassword === undefined ? {} : { inputPassword }), password }))
  })
}

/** A PKCS#8 file may be encrypted itself; its password is another than the new one. */
async function passwordOfInput({ terminal }: Invocation, pem: Uint8Array): Promise<Uint8Array | undefined> {
  if (!Buffer.from(pem).includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')) return undefined
  const value = terminal.environment['COUNTERSIGN_IMPORT_PASSWORD']
  if (value !== undefined) return Buffer.from(value)
  if (terminal.inIsTerminal) return Buffer.from(await askPassword('Password of the key to import', false))
  throw new CountersignError('key_password_missing', 'the key to import is encrypted', {
    hint: 'Set COUNTERSIGN_IMPORT_PASSWORD to the password that opens it, or run on a terminal to be asked.',
  })
}
