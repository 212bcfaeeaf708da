/** `countersign config check`. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { CountersignError } from '@countersign/core/failure'
import type { Invocation } from '../command/invocation.ts'
import { verbs } from '../command/table.ts'
import { printable } from '../failure/message.ts'
import { findProfile, type ProfileFile } from '../profile/find.ts'
import { readProfiles } from '../profile/layers.ts'
import { profileInForce } from '../profile/profile.ts'
import { readProfile } from '../profile/schema.ts'
import type { Conclusion } from '../report/conclusion.ts'

/** Reads a profile under every name that it has. Throws what is wrong with it, with line and column. */
export async function configCheck({ subjects, flags, terminal, reportOnStdout }: Invocation): Promise<Conclusion> {
  const named = flags.text('profile')
  const file =
    subjects[0] === undefined
      ? await profileInForce(new Map(named === undefined ? [] : [['profile', [named]]]), terminal)
      : await findProfile(resolve(terminal.workingFolder, subjects[0]), terminal.workingFolder, terminal.environment)
  if (file === undefined) {
    throw new CountersignError('file_not_found', 'there is no profile to check', {
      expected: 'countersign.yaml, or countersign/config.yaml in the folder of your configuration',
      hint: 'Name a file: countersign config check FILE.',
    })
  }
  const read = await readProfiles(file)
  const names = [...new Set(read.flatMap(({ profile }) => profile.names))]
  const images = read.flatMap(({ profile }) => profile.images)
  const missing = (await Promise.all(read.map((one) => missingFiles(one.file, one.profile.names)))).flat()
  for (const text of missing) terminal.err(`${printable(text)}\n`)
  const content = { names, images, missing }
  if (missing.length > 0) {
    throw new CountersignError(
      'file_not_found',
      `profile ${file.path} names ${missing.length === 1 ? 'a file' : `${missing.length} files`} that cannot be found`,
      {
        hint: 'Paths are relative to the profile.',
      },
    )
  }
  if (!reportOnStdout)
    terminal.out(
      printable(
        `${read.map((one) => one.file.path).join(', ')}: nothing is wrong${names.length === 0 ? '' : `; names in it: ${names.join(', ')}`}`,
      ) + '\n',
    )
  return { subjects: [{ subject: file.path, ok: true, content }] }
}

/** `FILE:LINE: --FLAG: VALUE` of every file that a flag names and that is not there. */
async function missingFiles(file: ProfileFile, names: readonly string[]): Promise<readonly string[]> {
  const commands = await Promise.all(verbs.map((verb) => verb.load()))
  const paths = new Set(commands.flatMap((command) => command.flags.filter((flag) => flag.path === true).map((flag) => flag.name)))
  const found = new Set<string>()
  for (const name of [undefined, ...names]) {
    const { settings } = await readProfile({
      path: file.path,
      folder: file.folder,
      text: file.text,
      ...(name === undefined ? {} : { name }),
    })
    for (const { flag, values, line } of settings) {
      if (!paths.has(flag)) continue
      for (const value of values) {
        if (value.includes('://') || value === 'public-good' || existsSync(resolve(file.folder, value))) continue
        found.add(`${file.path}:${line}: --${flag}: ${value} is not there`)
      }
    }
  }
  return [...found]
}
