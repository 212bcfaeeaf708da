/** `countersign sign-blob --bundle FILE` with several files or folders: one signature over all of them. */
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { readFolder } from '@countersign/sdk/batch/folder'
import { type NamedFile, signFiles } from '@countersign/sdk/blob/sign-files'
import { fileBlobSource } from '@countersign/sdk/blob/source'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { isFolder } from '../signing/blob-source.ts'
import { signerFromFlags } from '../signing/signer.ts'
import { writeWhole } from '../terminal/output-file.ts'

/** Signs them all with one statement. A file that cannot be read means that nothing is signed. */
export async function signTogether(invocation: Invocation, bundle: string): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  if (flags.text('new-bundle-format') === 'false' || flags.text('output-signature') !== undefined) {
    throw new CountersignError('usage', 'one signature over several files exists as a Sigstore bundle alone', {
      hint: 'Leave out --new-bundle-format=false and --output-signature.',
    })
  }
  const signer = signerFromFlags(invocation)
  signer.catch(() => undefined)
  const files: NamedFile[] = []
  for (const subject of subjects) {
    if (subject === '-')
      throw new CountersignError('usage', 'stdin cannot be one of several files', { hint: 'Sign it alone, with --bundle FILE.' })
    if (await isFolder(subject)) files.push(...(await filesIn(invocation, subject, bundle)))
    else files.push({ name: nameOf(terminal.workingFolder, subject, subject), source: fileBlobSource(subject) })
  }
  const signed = await signFiles(files, signer)
  await writeWhole(bundle, signed.bundle)
  terminal.err(`Wrote one bundle for ${signed.files.length} file${signed.files.length === 1 ? '' : 's'} to file ${bundle}\n`)
  return {
    subjects: signed.files.map(({ name, digest }, at) => ({ subject: name, ok: true, digest, ...(at === 0 ? { files: [bundle] } : {}) })),
  }
}

/** Every file below a folder but the bundle itself. What is neither a file nor a link inside the folder cannot be signed. */
async function filesIn({ terminal }: Invocation, folder: string, bundle: string): Promise<readonly NamedFile[]> {
  const files: NamedFile[] = []
  for (const item of await readFolder(folder, { evidence: [bundle] })) {
    if (item.kind === 'failed') throw item.failure
    if (item.kind === 'skipped') terminal.warn(`${item.subject} is not signed: ${item.reason}`)
    if (item.kind === 'file') files.push({ name: nameOf(terminal.workingFolder, item.path, folder), source: fileBlobSource(item.path) })
  }
  return files
}

/** Relative to the working folder; of what is outside it, to the folder that was named, or the bare name of the file. */
function nameOf(workingFolder: string, path: string, typed: string): string {
  const inside = relative(workingFolder, resolve(workingFolder, path))
  const outside = inside === '' || inside.startsWith('..') || isAbsolute(inside)
  const name = outside ? (path === typed ? (path.split(sep).at(-1) ?? '') : relative(typed, path)) : inside
  return name.split(sep).join('/')
}
