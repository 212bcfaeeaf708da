/** Several files and folders as what one statement names: each file by a relative path. */
import { isAbsolute, relative, resolve, sep } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import { besideReason, readFolder } from '@countersign/sdk/batch/folder'
import type { NamedFile } from '@countersign/sdk/blob/sign-files'
import { fileBlobSource } from '@countersign/sdk/blob/source'
import type { Invocation } from '../command/invocation.ts'
import { isFolder } from './blob-source.ts'

/** The files of the command line, and everything in its folders but what the run itself writes. Throws when one cannot be signed: then none is. */
export async function namedFiles(invocation: Invocation, written: readonly string[]): Promise<readonly NamedFile[]> {
  const { subjects, terminal } = invocation
  const files: NamedFile[] = []
  for (const subject of subjects) {
    if (subject === '-')
      throw new CountersignError('usage', 'stdin cannot be one of several files', { hint: 'Sign it alone, with --bundle FILE.' })
    if (await isFolder(subject)) files.push(...(await filesIn(invocation, subject, written)))
    else files.push({ name: nameOf(terminal.workingFolder, subject, subject), source: fileBlobSource(subject) })
  }
  return files
}

/** What is neither a file nor a link inside the folder cannot be signed; what `verify-blob` takes for the signature of a file is not. */
async function filesIn({ terminal }: Invocation, folder: string, written: readonly string[]): Promise<readonly NamedFile[]> {
  const files: NamedFile[] = []
  let signatures = 0
  for (const item of await readFolder(folder, { evidence: written })) {
    if (item.kind === 'failed') throw item.failure
    if (item.kind === 'skipped' && item.reason === besideReason) signatures++
    else if (item.kind === 'skipped') terminal.warn(`${item.subject} is not signed: ${item.reason}`)
    if (item.kind === 'file') files.push({ name: nameOf(terminal.workingFolder, item.path, folder), source: fileBlobSource(item.path) })
  }
  if (signatures > 0)
    terminal.warn(
      `${signatures} signature${signatures === 1 ? '' : 's'} beside files in ${folder} ${signatures === 1 ? 'is' : 'are'} not signed`,
    )
  return files
}

/** Relative to the working folder; of what is outside it, to the folder that was named, or the bare name of the file. */
function nameOf(workingFolder: string, path: string, typed: string): string {
  const inside = relative(workingFolder, resolve(workingFolder, path))
  const outside = inside === '' || inside.startsWith('..') || isAbsolute(inside)
  const name = outside ? (path === typed ? (path.split(sep).at(-1) ?? '') : relative(typed, path)) : inside
  return name.split(sep).join('/')
}
