/** Passwords of private keys: the environment, then the person at the terminal, then what is piped in, as cosign does. */
import { CountersignError } from '@countersign/core/failure'
import { type PasswordSource, passwordSource, passwordVariables } from '@countersign/sdk/keys/password'
import { askPassword } from '../terminal/prompt.ts'
import { readInput } from '../terminal/input.ts'
import type { Terminal } from '../terminal/terminal.ts'

const maxBytes = 4096

/** The password of an existing key. Piped input is taken whole, with its line break: that is what cosign encrypts with. */
export function existingPassword(terminal: Terminal): PasswordSource {
  return passwordSource(terminal.environment, async () => {
    if (terminal.inIsTerminal) return Buffer.from(await askPassword('Password of the private key', false))
    return readInput('-', maxBytes)
  })
}

/** Whether the password of a key must come from somewhere that can keep us waiting. */
export function needsPrompt(terminal: Terminal): boolean {
  return passwordVariables.every((name) => terminal.environment[name] === undefined)
}

/** The password of a new key, asked for twice. Nothing piped in is a mistake here, not an empty password. */
export async function newPassword(terminal: Terminal, question: string): Promise<Uint8Array> {
  const source = passwordSource(terminal.environment, async () => {
    if (terminal.inIsTerminal) return Buffer.from(await askPassword(question, true))
    const piped = await readInput('-', maxBytes)
    return piped.length === 0 ? undefined : piped
  })
  const password = await source()
  if (password !== undefined) return password
  throw new CountersignError('key_password_missing', 'the new private key needs a password', {
    hint: 'Set COUNTERSIGN_PASSWORD (empty for a key without password), or run on a terminal to be asked.',
  })
}
