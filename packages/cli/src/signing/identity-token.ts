/** The identity token of a keyless signature: given, or found where this runs. */
import { statSync } from 'node:fs'
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'

const maxBytes = 65_536

/** `--identity-token` (the token, a file that holds it, or `-`), then `SIGSTORE_ID_TOKEN`. Throws `identity_token_missing`. */
export async function identityToken({ flags, terminal }: Invocation): Promise<string> {
  const given = flags.text('identity-token') ?? present(terminal.environment['SIGSTORE_ID_TOKEN'])
  if (given !== undefined) return readGiven(given)
  throw new CountersignError('identity_token_missing', 'signing without --key needs an identity, and there is no identity token', {
    hint: 'Give --identity-token, or set SIGSTORE_ID_TOKEN; "countersign token NAME" makes one for an account of your installation.',
  })
}

async function readGiven(given: string): Promise<string> {
  if (given === '-' || isFile(given)) return inFile(given, async () => new TextDecoder().decode(await readInput(given, maxBytes)))
  return given
}

/** A token has two dots and no slash; a file may be called anything. */
function isFile(text: string): boolean {
  return text.length < 4096 && statSync(text, { throwIfNoEntry: false })?.isFile() === true
}

function present(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}
