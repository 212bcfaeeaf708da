/** `countersign generate-key-pair`. */
import { CountersignError } from '@countersign/core/failure'
import { type GeneratedKeyType, generatedKeyTypes, generateKeyPair } from '@countersign/sdk/keys/generate'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { newPassword } from '../signing/password.ts'
import { storeKeyPair } from '../signing/store-key-pair.ts'

/** Makes a key pair and writes it to two files. */
export async function generateKeyPairVerb(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [store] = subjects
  if (store !== undefined) {
    throw new CountersignError('not_supported', `keys in ${store.split('://', 1)[0] ?? ''} are not supported`, {
      hint: 'Run it without an argument to write a key file.',
    })
  }
  const type = keyType(flags.text('type') ?? 'ecdsa-p256')
  return storeKeyPair(invocation, flags.text('output-key-prefix') ?? 'cosign', async () =>
    generateKeyPair({ type, password: await newPassword(terminal, 'Password for the new private key') }),
  )
}

function keyType(name: string): GeneratedKeyType {
  const type = generatedKeyTypes.find((candidate) => candidate === name)
  if (type !== undefined) return type
  throw new CountersignError('usage', '--type names no key type', { expected: generatedKeyTypes.join(', '), found: name.slice(0, 40) })
}
