/** `countersign trust …`: ceremonies of the trust root. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { bytesToHex } from '@countersign/core/bytes'
import { type TufMetadata, type TufRole, tufRoles } from '@countersign/core/tuf/model'
import { parseTufMetadata, readTufRoot, readTufTargets } from '@countersign/core/tuf/read'
import { signTufFile } from '@countersign/core/tuf/sign'
import { nodePrimitives } from '@countersign/sdk/crypto/node-primitives'
import type { KeyFiles } from '@countersign/server/main/ceremonies'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { printable } from '../failure/message.ts'
import { signerFromFlags } from '../signing/signer.ts'
import { writeWhole } from '../terminal/output-file.ts'
import { operator, withInstallation } from './installation.ts'

/** Says what is in force, what waits for signatures, and which instances are trusted. */
export function trustStatus(invocation: Invocation): Promise<Conclusion> {
  const { terminal } = invocation
  return withInstallation(invocation, 'none', async (installation) => {
    const server = await import('@countersign/server/main/ceremonies')
    const { roles, proposals, instances, warnings } = await server.trustStatus(installation)
    for (const { role, version, expires, threshold, keys } of roles) {
      const here = keys.filter((key) => key.here).length
      terminal.out(
        `${role.padEnd(10)} version ${version}, until ${expires.slice(0, 10)}, ${threshold} of ${keys.length} keys (${here} here)\n`,
      )
    }
    for (const { role, version, signatures, threshold } of proposals)
      terminal.out(`proposed   ${role} version ${version} has ${signatures} of ${threshold} signatures\n`)
    for (const { id, start, end, signsFrom, certificateEnds } of instances) {
      const planned = signsFrom === undefined ? '' : `, signs from ${signsFrom}`
      const certified = certificateEnds === undefined ? '' : `, certified until ${certificateEnds.slice(0, 10)}`
      terminal.out(`${id.padEnd(20)} from ${start}${end === undefined ? '' : ` until ${end}`}${certified}${planned}\n`)
    }
    for (const text of warnings) terminal.warn(text)
    const content = { roles: [...roles], proposals: [...proposals], instances: [...instances], warnings: [...warnings] }
    return { subjects: [{ subject: 'trust', ok: true, content }] }
  })
}

/** Writes the file of a proposal, which is made where none waits. */
export function trustPropose(invocation: Invocation): Promise<Conclusion> {
  const [role = '', name = ''] = invocation.subjects
  const { terminal } = invocation
  if (role !== 'root' && role !== 'targets')
    throw new CountersignError('usage', `${role} is proposed by nobody`, { expected: 'root or targets' })
  return withInstallation(invocation, 'none', async (installation) => {
    const { proposalFile } = await import('@countersign/server/main/ceremonies')
    const file = resolve(terminal.workingFolder, name)
    await writeWhole(file, await proposalFile(installation, role, changesFrom(invocation), operator()))
    terminal.err(`Wrote ${name}: each holder of a key signs it with "countersign trust sign --key KEY ${name}"\n`)
    return { subjects: [{ subject: role, ok: true, files: [file] }] }
  })
}

function changesFrom({ flags, terminal }: Invocation): Partial<Record<TufRole, KeyFiles>> {
  const changes: Partial<Record<TufRole, KeyFiles>> = {}
  for (const role of tufRoles) {
    const files = flags.list(`${role}-key`)
    if (files.length === 0) continue
    changes[role] = {
      files: files.map((file) => resolve(terminal.workingFolder, file)),
      threshold: thresholdOf(flags.text(`${role}-threshold`) ?? '1'),
    }
  }
  return changes
}

function thresholdOf(text: string): number {
  if (/^[1-9][0-9]?$/.test(text)) return Number(text)
  throw new CountersignError('usage', 'a threshold is a number of keys', { expected: '1 to 99', found: text.slice(0, 20) })
}

/** Signs the file of a proposal, and says what it puts into force; needs no installation. */
export async function trustSign(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal, flags } = invocation
  if (flags.text('key') === undefined) throw new CountersignError('usage', 'trust sign needs --key')
  const file = resolve(terminal.workingFolder, subjects[0] ?? '')
  const document = new Uint8Array(await readFile(file))
  // Before the key is opened, so that whoever is asked for its password has seen what it is for.
  terminal.err((await contentLines(parseTufMetadata(document))).map((line) => `${printable(line)}\n`).join(''))
  const signer = await signerFromFlags(invocation)
  const signed = await signTufFile(document, { publicKey: signer.publicKey, sign: signer.signMessage }, nodePrimitives)
  await writeWhole(file, signed)
  terminal.err(`Signed ${subjects[0] ?? ''}; give it back to the installation: countersign trust publish ${subjects[0] ?? ''}\n`)
  return { subjects: [{ subject: file, ok: true, files: [file] }] }
}

/**
 * What clients will trust by a file. Hostile: who carries it may exchange it for one with keys of their own, or for what servers sign every day, which
 * the holder of a key is never asked for.
 */
async function contentLines(metadata: TufMetadata): Promise<readonly string[]> {
  const { role, version, expiresMs } = metadata
  const head = `${role} version ${version}, until ${new Date(expiresMs).toISOString().slice(0, 10)}`
  if (role === 'targets') {
    const files = [...readTufTargets(metadata)].map(([name, { sha256 }]) => `  ${name}  sha256:${sha256}`)
    return [`${head}: clients will trust these files`, ...files]
  }
  if (role !== 'root') {
    throw new CountersignError('usage', `the file is metadata of the role ${role}, which no holder of a key signs`, {
      expected: 'a file that "countersign trust propose" wrote',
    })
  }
  const lines = [`${head}: clients will trust these keys (SHA-256 of their DER)`]
  for (const [name, { keys, threshold }] of Object.entries(readTufRoot(metadata).roles)) {
    lines.push(`  ${name}: ${threshold} of ${keys.length}`)
    for (const { publicKey } of keys) lines.push(`    ${bytesToHex(await nodePrimitives.hash('sha256', publicKey.spki))}`)
  }
  return lines
}

/** Takes signed files back and puts into force what has enough signatures. */
export function trustPublish(invocation: Invocation): Promise<Conclusion> {
  const { subjects, terminal } = invocation
  return withInstallation(invocation, 'none', async (installation) => {
    const server = await import('@countersign/server/main/ceremonies')
    const files = await Promise.all(subjects.map(async (name) => new Uint8Array(await readFile(resolve(terminal.workingFolder, name)))))
    for (const { role, signatures } of await server.takeSignatures(installation, files)) {
      terminal.err(`The proposal for ${role} has ${signatures} signature${signatures === 1 ? '' : 's'} now\n`)
    }
    const roles = await server.publishTrust(installation, operator())
    terminal.err(`In force: ${roles.join(', ')}\n`)
    return { subjects: [{ subject: 'trust', ok: true, content: { roles: [...roles] } }] }
  })
}

/** Gives a proposal up. */
export function trustWithdraw(invocation: Invocation): Promise<Conclusion> {
  const [role = ''] = invocation.subjects
  if (role !== 'root' && role !== 'targets')
    throw new CountersignError('usage', `${role} is proposed by nobody`, { expected: 'root or targets' })
  return withInstallation(invocation, 'none', async (installation) => {
    const { withdrawTrust } = await import('@countersign/server/main/ceremonies')
    await withdrawTrust(installation, role, operator())
    return { subjects: [{ subject: role, ok: true }] }
  })
}
