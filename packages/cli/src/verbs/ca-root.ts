/** `countersign ca init|export-root|remove-root|csr|import`: the root of the certificate authority, kept elsewhere. */
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { encryptPrivateKey } from '@countersign/sdk/keys/encrypted-key'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { newPassword } from '../signing/password.ts'
import { writeWhole } from '../terminal/output-file.ts'
import { confirm } from '../terminal/prompt.ts'
import { operator, withInstallation } from './installation.ts'

const maxPemBytes = 256 * 1024

/** Makes a root where there is none. */
export function caInit(invocation: Invocation): Promise<Conclusion> {
  return withInstallation(invocation, 'none', async (installation) => {
    const { initRoot } = await import('@countersign/server/main/offline-root')
    const certificate = await initRoot(installation, operator())
    invocation.terminal.out(certificate)
    return { subjects: [{ subject: 'ca-root', ok: true, content: { certificate } }] }
  })
}

/** Writes the root's private key, encrypted under a password of its own, and its certificate. */
export async function caExportRoot(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  const prefix = resolve(terminal.workingFolder, subjects[0] ?? '')
  const password = await newPassword(terminal, 'Password for the exported root')
  const files = [`${prefix}.key`, `${prefix}.crt`] as const
  return withInstallation(invocation, 'none', async (installation) => {
    const { exportRoot } = await import('@countersign/server/main/offline-root')
    const { pkcs8, certificate } = await exportRoot(installation, operator())
    // Never over another root.
    await writeFile(files[0], await encryptPrivateKey(pkcs8, password), { flag: 'wx', mode: 0o600, flush: true })
    await writeWhole(files[1], certificate)
    terminal.err(`Wrote ${files.join(' and ')}; keep them offline, then: countersign ca remove-root\n`)
    return { subjects: [{ subject: 'ca-root', ok: true, files: [...files] }] }
  })
}

/** Removes the root's private key from the installation. */
export async function caRemoveRoot(invocation: Invocation): Promise<Conclusion> {
  const { flags, terminal } = invocation
  const sure = flags.boolean('yes', false) || (await confirm(terminal, 'Remove the private key of the root? It must be safe elsewhere.'))
  if (!sure) throw new CountersignError('usage', 'the root stays', { hint: 'Export it first, then give --yes.' })
  return withInstallation(invocation, 'none', async (installation) => {
    const { removeRoot } = await import('@countersign/server/main/offline-root')
    await removeRoot(installation, operator())
    terminal.err('The private key of the root is gone from here; its certificate stays in the trust root\n')
    return { subjects: [{ subject: 'ca-root', ok: true }] }
  })
}

/** Asks for an intermediate that a root elsewhere signs. */
export function caCsr(invocation: Invocation): Promise<Conclusion> {
  const { terminal } = invocation
  return withInstallation(invocation, 'none', async (installation) => {
    const { requestCertificate } = await import('@countersign/server/main/offline-root')
    const { name, request } = await requestCertificate(installation, operator())
    terminal.out(request)
    terminal.err(`Have it signed, then: countersign ca import ${name} CHAIN.pem\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, request } }] }
  })
}

/** Takes the certificate that came back. */
export function caImport(invocation: Invocation): Promise<Conclusion> {
  const [name = '', file = ''] = invocation.subjects
  const { terminal } = invocation
  return withInstallation(invocation, 'none', async (installation) => {
    const { importCertificate } = await import('@countersign/server/main/offline-root')
    const pem = await readFile(resolve(terminal.workingFolder, file), 'utf8')
    if (pem.length > maxPemBytes) throw new CountersignError('pem_malformed', `${file} is too long for a chain of certificates`)
    const change = await importCertificate(installation, name, pem, operator())
    const next =
      change === 'proposed'
        ? 'the trust root that names it waits for the signatures of its keys: countersign trust status'
        : `once clients have fetched the trust root: countersign ca activate ${name}`
    terminal.err(`${name} is on standby; ${next}\n`)
    return { subjects: [{ subject: name, ok: true, content: { name, change } }] }
  })
}
