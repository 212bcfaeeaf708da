/**
 * Identity tokens that the place where a program runs gives to it: CI systems, clouds, workload APIs. Each is asked only where its own
 * variables, files or sockets are there.
 */
import { readFileIfThere } from '../bounded-file.ts'
import type { HttpClient } from '../http/client.ts'
import { buildkiteToken } from './buildkite.ts'
import { githubToken } from './github.ts'
import { googleToken } from './google.ts'
import { spiffeToken } from './spiffe.ts'

/** What a provider may look at. */
export type AmbientPlace = {
  readonly client: HttpClient
  readonly environment: Readonly<Record<string, string | undefined>>
  /** For whom the token shall be; `sigstore` unless the certificate authority demands another. */
  readonly audience: string
}

/** A token and where it came from. */
export type AmbientToken = { readonly provider: AmbientProvider; readonly token: string }

/** Gives a token, or `undefined` where the program does not run there. */
type Provider = (place: AmbientPlace) => Promise<string | undefined>

const tokenFile = '/var/run/sigstore/cosign/oidc-token'
const maxFileBytes = 65_536

/** Names of the providers, as cosign's `--oidc-provider` has them. GitLab gives its token in `SIGSTORE_ID_TOKEN`. */
export type AmbientProvider = 'github-actions' | 'buildkite-agent' | 'spiffe' | 'google' | 'filesystem'

const providers: Readonly<Record<AmbientProvider, Provider>> = {
  'github-actions': githubToken,
  'buildkite-agent': buildkiteToken,
  spiffe: spiffeToken,
  google: googleToken,
  filesystem: fileToken,
}

/** In the order in which they are asked. */
export const ambientProviders: readonly AmbientProvider[] = Object.keys(providers) as AmbientProvider[]

/** The token of the first provider that is there; `undefined` when none is. Throws what a provider that is there fails with. */
export async function ambientToken(place: AmbientPlace, only?: AmbientProvider): Promise<AmbientToken | undefined> {
  for (const provider of only === undefined ? ambientProviders : [only]) {
    const token = await providers[provider](place)
    if (token !== undefined) return { provider, token }
  }
  return undefined
}

async function fileToken({ environment }: AmbientPlace): Promise<string | undefined> {
  const named = environment['SIGSTORE_ID_TOKEN_FILE'] ?? ''
  const bytes = await readFileIfThere(named === '' ? tokenFile : named, maxFileBytes)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim()
}
