/** The signer that the flags name, and what they ask for beside it. */
import { CountersignError } from '@countersign/core/failure'
import { readSigner } from '@countersign/sdk/keys/key-reference'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import type { FlagValues } from '../command/flag-values.ts'
import { inFile } from '../failure/in-file.ts'
import { commandKeyIo } from './key-io.ts'
import { existingPassword, needsPrompt } from './password.ts'

/** A key on its way. The promise rejects for all that is wrong before a password is needed; what it gives gives the signer. */
export type BegunSigner = Promise<() => Promise<Signer>>

/** Opens the signer. Throws what {@link beginSigner} rejects with, and the failures of the password. */
export async function signerFromFlags(invocation: Invocation): Promise<Signer> {
  const open = await beginSigner(invocation)
  return open()
}

/**
 * Reads and checks the key that `--key` names, and opens it at once, unless somebody must be asked for its password, who is asked when the
 * signer is. Without `--key` the signer is keyless. Rejects with the failures of the key's file; services fail when the signer is asked for.
 */
export function beginSigner(invocation: Invocation): BegunSigner {
  const begun = readAndOpen(invocation)
  // Awaited when it is needed; what fails before that must not end the process as unhandled.
  begun.catch(() => undefined)
  return begun
}

async function readAndOpen(invocation: Invocation): BegunSigner {
  const { flags, terminal } = invocation
  const reference = flags.text('key')
  if (reference === undefined) return async () => (await import('./serviced-signer.ts')).keyless(invocation)
  const sources = { io: commandKeyIo(terminal.environment), password: existingPassword(terminal) }
  const open = await inFile(reference, () => readSigner(reference, sources))
  const signer = needsPrompt(terminal) ? undefined : open()
  signer?.catch(() => undefined)
  const opening = signer === undefined ? open : () => signer
  if (!asksServices(flags)) return opening
  return async () => (await import('./serviced-signer.ts')).withServices(invocation, await opening())
}

/** With a key of one's own the registry alone is contacted, unless a service is asked for by name. */
export function asksServices(flags: FlagValues): boolean {
  const named = ['signing-config', 'rekor-url', 'timestamp-server-url'].some((name) => flags.text(name) !== undefined)
  return named || flags.boolean('use-signing-config', false) || flags.boolean('tlog-upload', false)
}

/** The layout in force. `--new-bundle-format=false` is cosign's way to ask for the legacy one. */
export function layoutFromFlags(flags: FlagValues): SignatureLayout {
  const asked = flags.text('layout')
  const legacy = flags.text('new-bundle-format') === 'false'
  if (asked === undefined) return legacy ? 'legacy' : 'bundle'
  if (asked !== 'bundle' && asked !== 'legacy' && asked !== 'both') {
    throw new CountersignError('usage', '--layout names no layout', { expected: 'bundle, legacy or both', found: asked.slice(0, 40) })
  }
  if (legacy && asked === 'bundle') {
    throw new CountersignError('usage', '--layout=bundle and --new-bundle-format=false contradict each other', {
      hint: 'Give one of them.',
    })
  }
  return asked
}
