/** `countersign ca …`. */
import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { readSigner } from '@countersign/sdk/keys/key-reference'
import type { OpenInstallation } from '@countersign/server/main/administer'
import type * as intermediatesModule from '@countersign/server/main/intermediates'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { printable } from '../failure/message.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { commandKeyIo } from '../signing/key-io.ts'
import { existingPassword } from '../signing/password.ts'
import { demandServices, installationRequest } from './services-door.ts'

type Intermediates = typeof intermediatesModule
type RootKey = NonNullable<intermediatesModule.IntermediateOptions['rootKey']>

/** Lists authorities. */
export function caList(invocation: Invocation): Promise<Conclusion> {
  return withAuthority(invocation, async ({ listAuthorities }, installation) => {
    const all = await listAuthorities(installation)
    const rows = all.map(({ name, status, createdAt }) => `${name.padEnd(24)} ${status.padEnd(8)} ${new Date(createdAt).toISOString()}\n`)
    invocation.terminal.out(rows.join(''))
    const authorities = all.map(({ name, role, status, createdAt }) => ({ name, role, status, createdAt }))
    return { subjects: [{ subject: 'authorities', ok: true, content: { authorities } }] }
  })
}

/** Makes an intermediate. */
export async function caIntermediate(invocation: Invocation): Promise<Conclusion> {
  const { flags } = invocation
  const file = flags.text('root-key')
  const root = file === undefined ? {} : { rootKey: await keptRoot(file, invocation) }
  const request = flags.text('request')
  if (request !== undefined) return signElsewhere(invocation, request, root.rootKey)
  return withAuthority(invocation, async ({ addIntermediate }, installation) => {
    const { name, change } = await addIntermediate(installation, { name: userInfo().username }, root)
    invocation.terminal.out(`${name}\n`)
    const next =
      change === 'proposed'
        ? 'the trust root that names it waits for the signatures of its keys'
        : `once clients have fetched the trust root: countersign ca activate ${name}`
    invocation.terminal.err(`Made ${name}, on standby; ${next}\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, change } }] }
  })
}

/** Activates an intermediate. */
export function caActivate(invocation: Invocation): Promise<Conclusion> {
  const name = invocation.subjects[0] ?? ''
  return withAuthority(invocation, async ({ activateIntermediate }, installation) => {
    const change = await activateIntermediate(installation, name, { name: userInfo().username })
    invocation.terminal.err(`${name} issues from now on; the one before ends in an hour\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, change } }] }
  })
}

/** The root that `ca export-root` took out, for this one signature. */
async function keptRoot(file: string, { terminal }: Invocation): Promise<RootKey> {
  const sources = { io: commandKeyIo(terminal.environment), password: existingPassword(terminal) }
  const open = await inFile(file, () => readSigner(file, sources))
  const { publicKey, messageAlgorithm, signMessage } = await open()
  return { name: 'ca-root', publicKey, algorithm: messageAlgorithm, sign: signMessage }
}

/** Where the root is kept: no installation is here. */
async function signElsewhere({ flags, terminal }: Invocation, request: string, key: RootKey | undefined): Promise<Conclusion> {
  if (key === undefined)
    throw new CountersignError('usage', '--request needs the key of the root', { hint: 'Name its file with --root-key.' })
  await demandServices()
  const { signRequest } = await import('@countersign/server/main/offline-root')
  const read = async (file: string): Promise<string> => readFile(resolve(terminal.workingFolder, file), 'utf8')
  const beside = (flags.text('root-key') ?? '').replace(/(?:\.key)?$/, '.crt')
  const certificate = await read(flags.text('root-certificate') ?? beside)
  const { chain, name, keySha256 } = await signRequest({ certificate, key }, await read(request), Date.now)
  terminal.out(chain)
  terminal.err(`Signed ${printable(name)}, SHA-256 of its key ${keySha256}; at the installation: countersign ca import NAME CHAIN\n`)
  return { subjects: [{ subject: request, ok: true, content: { name, keySha256, chain } }] }
}

async function withAuthority(
  invocation: Invocation,
  work: (authority: Intermediates, installation: OpenInstallation) => Promise<Conclusion>,
): Promise<Conclusion> {
  await demandServices()
  const [{ administer }, authority] = await Promise.all([
    import('@countersign/server/main/administer'),
    import('@countersign/server/main/intermediates'),
  ])
  return administer(installationRequest(invocation), 'none', (installation) => work(authority, installation))
}
