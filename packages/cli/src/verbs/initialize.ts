/** `countersign initialize` and `countersign trusted-root refresh`. */
import { CountersignError } from '@countersign/core/failure'
import { type Initialized, initializeStore } from '@countersign/sdk/tuf/initialize'
import { publicGoodMirror, stagingMirror } from '@countersign/sdk/tuf/initial-root'
import { mirrorInUse, storeFolder } from '@countersign/sdk/tuf/store'
import type { Invocation } from '../command/invocation.ts'
import { connectionFromFlags } from '../connection.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** Fills the store from the mirror that was named; without a name from the public-good instance, which it says. */
export async function initialize(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const staging = flags.boolean('staging', false)
  const named = flags.text('mirror') ?? environmentText(invocation, 'TUF_MIRROR')
  const root = flags.text('root') ?? environmentText(invocation, 'TUF_ROOT_JSON')
  const checksum = flags.text('root-checksum')
  if (staging && flags.text('mirror') !== undefined) {
    throw new CountersignError('usage', '--staging and --mirror contradict each other', { hint: 'Give one of them.' })
  }
  if (staging && root === undefined && checksum === undefined) {
    throw new CountersignError('usage', 'the root of the staging instance is not built in', { hint: 'Name it with --root.' })
  }
  const mirror = staging ? stagingMirror : (named ?? publicGoodMirror)
  if (named === undefined) {
    terminal.err(`Asking ${mirror}: the public${staging ? ' staging' : '-good'} Sigstore instance, because no --mirror was given\n`)
  }
  return fill(invocation, {
    mirror,
    ...(root === undefined ? {} : { root }),
    ...(checksum === undefined ? {} : { checksum }),
  })
}

/** Renews the store from the mirror that it came from. */
export async function refreshTrustedRoot(invocation: Invocation): Promise<Conclusion> {
  const mirror = await mirrorInUse(folderOf(invocation))
  if (mirror === undefined) {
    throw new CountersignError('trust_missing', 'nothing was initialized, so there is nothing to refresh', {
      hint: 'Run "countersign initialize" first.',
    })
  }
  invocation.terminal.err(`Asking ${printable(mirror)}\n`)
  return fill(invocation, { mirror })
}

type Source = { readonly mirror: string; readonly root?: string; readonly checksum?: string }

async function fill(invocation: Invocation, source: Source): Promise<Conclusion> {
  const { terminal } = invocation
  const { environment, deadlineMs, userAgent } = connectionFromFlags(invocation)
  const result = await initializeStore(
    { ...source, folder: folderOf(invocation), nowMs: terminal.nowMs },
    {
      environment,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(userAgent === undefined ? {} : { userAgent }),
    },
  )
  terminal.out(resultText(result))
  const { versions, expiresFirst, rootSource } = result
  const expires = new Date(result.expiresMs).toISOString()
  const content = { mirror: result.mirror, rootSource, versions, expires, expiresFirst, targets: result.targets }
  return { subjects: [{ subject: result.mirrorFolder, ok: true, files: result.targets, content }] }
}

function resultText({ mirror, mirrorFolder, rootSource, versions, expiresMs, expiresFirst, targets }: Initialized): string {
  const from = {
    named: 'the root that was given',
    stored: 'the stored root',
    shipped: 'the built-in root',
    mirror: "the mirror's own root",
  }
  const lines = [
    `Initialized ${mirrorFolder} from ${mirror}, starting from ${from[rootSource]}`,
    `  root version ${versions.root}, timestamp version ${versions.timestamp}, ${targets.join(', ')}`,
    `  good until ${new Date(expiresMs).toISOString().slice(0, 16)}Z, when its ${expiresFirst} expires`,
  ]
  return lines.map((line) => `${printable(line)}\n`).join('')
}

function folderOf({ terminal }: Invocation): string {
  const folder = storeFolder(terminal.environment)
  if (folder !== undefined) return folder
  throw new CountersignError('usage', 'there is no folder to keep the trusted root in', { hint: 'Set TUF_ROOT or HOME.' })
}

/** cosign's variables. */
function environmentText({ terminal }: Invocation, name: string): string | undefined {
  const value = terminal.environment[name]
  return value === undefined || value === '' ? undefined : value
}
