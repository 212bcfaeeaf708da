/** The signer that the flags name, and what they ask for beside it. */
import { CountersignError } from '@countersign/core/failure'
import { readSigner } from '@countersign/sdk/keys/key-reference'
import type { SignatureLayout } from '@countersign/sdk/sign/requests'
import type { Signer } from '@countersign/sdk/sign/signer'
import type { Invocation } from '../command/invocation.ts'
import type { FlagValues } from '../command/flag-values.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'
import { commandKeyIo } from './key-io.ts'
import { existingPassword, needsPrompt } from './password.ts'

const maxConfigBytes = 1_048_576

/** A key on its way. The promise rejects for all that is wrong before a password is needed; what it gives gives the signer. */
export type BegunSigner = Promise<() => Promise<Signer>>

/** Opens the signer. Throws what {@link beginSigner} rejects with, and the failures of the password. */
export async function signerFromFlags(invocation: Invocation): Promise<Signer> {
  const open = await beginSigner(invocation)
  return open()
}

/**
 * Reads and checks the key that `--key` names, and opens it at once, unless somebody must be asked for its password, who is asked when the
 * signer is. Rejects with `service_not_supported` for keyless signing and for a signing config that names a service, and with the failures of
 * the key's file.
 */
export function beginSigner(invocation: Invocation): BegunSigner {
  const begun = readAndOpen(invocation)
  // Awaited when it is needed; what fails before that must not end the process as unhandled.
  begun.catch(() => undefined)
  return begun
}

async function readAndOpen({ flags, terminal }: Invocation): BegunSigner {
  const reference = flags.text('key')
  if (reference === undefined) {
    throw new CountersignError('service_not_supported', 'signing without --key needs a certificate authority, which is not supported yet', {
      hint: 'Give --key; "countersign generate-key-pair" makes one. Nothing is ever signed into a public service.',
    })
  }
  const sources = { io: commandKeyIo(terminal.environment), password: existingPassword(terminal) }
  const open = await inFile(reference, () => readSigner(reference, sources))
  const signer = needsPrompt(terminal) ? undefined : open()
  signer?.catch(() => undefined)
  await refuseServices(flags.text('signing-config'))
  return signer === undefined ? open : () => signer
}

/** A signing config that names no service is fine: it says that the registry alone is contacted. */
async function refuseServices(path: string | undefined): Promise<void> {
  if (path === undefined) return
  const bytes = await inFile(path, () => readInput(path, maxConfigBytes))
  const { parseSigningConfig } = await import('@countersign/core/trust/signing-config')
  const config = await inFile(path, async () => parseSigningConfig(bytes))
  const named = [
    ['certificate authority', config.caUrls],
    ['transparency log', config.logUrls],
    ['identity provider', config.oidcUrls],
    ['timestamp authority', config.timestampUrls],
  ] as const
  for (const [what, services] of named) {
    const [service] = services
    if (service === undefined) continue
    throw new CountersignError('service_not_supported', `the signing config names a ${what}, which is not supported yet`, {
      found: service.url,
      hint: 'Use a signing config without services ("countersign signing-config create"), or none.',
    })
  }
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
