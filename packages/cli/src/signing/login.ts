/** Logs the person in: in a browser on this machine, by a code on another one, or a program by its own secret. */
import { spawn } from 'node:child_process'
import { CountersignError } from '@countersign/core/failure'
import { selectServices } from '@countersign/core/trust/signing-config'
import type { SigningSetup } from '@countersign/sdk/keyless/signer'
import { loginByBrowser } from '@countersign/sdk/oidc/browser'
import { loginByDevice } from '@countersign/sdk/oidc/device'
import { discoverProvider, identityTokenIn, type OpenIdClient, postForm } from '@countersign/sdk/oidc/provider'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { printable } from '../failure/message.ts'
import { readInput } from '../terminal/input.ts'
import type { Terminal } from '../terminal/terminal.ts'

const maxSecretBytes = 4096

/** An identity token of whoever logs in. Throws `service_not_supported` when no identity provider is known, and what the flows throw. */
export async function login(invocation: Invocation, setup: SigningSetup, flow: string | undefined): Promise<string> {
  const { flags, terminal } = invocation
  const { client, config, nowMs } = setup
  const [service] = selectServices({ services: config.oidcUrls, supportedVersions: [1], nowMs: nowMs() })
  if (service === undefined) {
    throw new CountersignError('service_not_supported', 'the signing config names no identity provider to log in with', {
      hint: 'Name one with --oidc-issuer, or give --identity-token.',
    })
  }
  const provider = await discoverProvider(client, service.url)
  const who = await openIdClient(invocation)
  if (flow === 'client_credentials') {
    return identityTokenIn(await postForm(client, provider.tokenEndpoint, who, { grant_type: 'client_credentials', scope: 'openid email' }))
  }
  if (flow === 'device' || (flow === undefined && browserCommand(terminal) === undefined)) {
    return loginByDevice(client, provider, who, ({ url, urlWithCode, code }) => {
      terminal.err(`Open ${printable(urlWithCode ?? url)}\nand enter the code ${printable(code)}\n`)
    })
  }
  const redirectUrl = flags.text('oidc-redirect-url')
  return loginByBrowser(client, provider, who, {
    open: (url) => openInBrowser(terminal, url),
    ...(redirectUrl === undefined ? {} : { redirectUrl }),
  })
}

async function openIdClient({ flags }: Invocation): Promise<OpenIdClient> {
  const id = flags.text('oidc-client-id') ?? 'sigstore'
  const path = flags.text('oidc-client-secret-file')
  if (path === undefined) return { id }
  const secret = await inFile(path, async () => new TextDecoder().decode(await readInput(path, maxSecretBytes)).trim())
  return { id, secret }
}

function browserCommand({ environment }: Terminal): string | undefined {
  if (process.platform === 'darwin') return 'open'
  const shown = (environment['DISPLAY'] ?? '') !== '' || (environment['WAYLAND_DISPLAY'] ?? '') !== ''
  return shown ? 'xdg-open' : undefined
}

/** The address is always shown: where no browser opens, the person can. */
function openInBrowser(terminal: Terminal, url: string): void {
  terminal.err(`Log in at ${url}\n`)
  const command = browserCommand(terminal)
  if (command === undefined) return
  const opened = spawn(command, [url], { stdio: 'ignore', detached: true })
  // A machine without a browser is no failure: the address was shown.
  opened.on('error', () => opened.unref())
  opened.unref()
}
