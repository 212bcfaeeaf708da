/** The identity token of a keyless signature: given, found where this runs, or fetched by logging in. */
import { statSync } from 'node:fs'
import { CountersignError } from '@countersign/core/failure'
import type { SigningSetup } from '@countersign/sdk/keyless/signer'
import { ambientProviders, ambientToken, type AmbientProvider } from '@countersign/sdk/oidc/ambient'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { readInput } from '../terminal/input.ts'

const maxBytes = 65_536
const audience = 'sigstore'

/**
 * `--identity-token` (the token, a file that holds it, or `-`), `SIGSTORE_ID_TOKEN`, what the place where this runs gives, and on a terminal, or
 * where a flow is named, a login. Throws `identity_token_missing`.
 */
export async function identityToken(invocation: Invocation, setup: SigningSetup): Promise<string> {
  const { flags, terminal } = invocation
  const given = flags.text('identity-token') ?? present(terminal.environment['SIGSTORE_ID_TOKEN'])
  if (given !== undefined) return readGiven(given)
  if (!flags.boolean('oidc-disable-ambient-providers', false)) {
    const only = namedProvider(flags.text('oidc-provider'))
    const found = await ambientToken({ client: setup.client, environment: terminal.environment, audience }, only)
    if (found !== undefined) {
      terminal.err(`Signing as whom ${found.provider} says this is\n`)
      return found.token
    }
    if (only !== undefined) throw missing(`${only} gives none here`)
  }
  const flow = flags.text('fulcio-auth-flow')
  const interactive = flow === 'normal' || flow === 'device' || (flow === undefined && terminal.errIsTerminal)
  if (flow === 'client_credentials' || interactive) return (await import('./login.ts')).login(invocation, setup, flow)
  throw missing('there is no identity token')
}

async function readGiven(given: string): Promise<string> {
  if (given === '-' || isFile(given)) return inFile(given, async () => new TextDecoder().decode(await readInput(given, maxBytes)))
  return given
}

/** What looks like a token is one: asking the system for a file of that name could put the token into a message. */
function isFile(text: string): boolean {
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text) && text.startsWith('eyJ')) return false
  return (
    text.length < 4096 && text.split('/').every((part) => part.length < 256) && statSync(text, { throwIfNoEntry: false })?.isFile() === true
  )
}

function namedProvider(name: string | undefined): AmbientProvider | undefined {
  const known = ambientProviders.find((provider) => provider === name)
  if (name === undefined || known !== undefined) return known
  throw new CountersignError('usage', '--oidc-provider names no source of tokens', {
    expected: ambientProviders.join(', '),
    found: name.slice(0, 40),
  })
}

function missing(why: string): CountersignError {
  return new CountersignError('identity_token_missing', `signing without --key needs an identity, and ${why}`, {
    hint: 'Give --identity-token, set SIGSTORE_ID_TOKEN, or log in with --fulcio-auth-flow device; "countersign token NAME" makes a token for an account of your installation.',
  })
}

function present(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text
}
