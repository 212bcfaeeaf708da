/** Files that mention images, as `dockerfile verify`, `manifest verify` and `pin` are given them. */
import { dirname, join } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { readEnvironmentFile } from '@countersign/sdk/manifests/environment-file'
import { findImages } from '@countersign/sdk/manifests/find'
import type { Given, ImageMention, ManifestKind, MentionedImages } from '@countersign/sdk/manifests/model'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import { inFile } from '../failure/in-file.ts'
import { fileExists, readInput } from '../terminal/input.ts'

/** A file that was read: its bytes and text as they are, what it mentions, and what its variables stood for. */
export type ReadManifest = MentionedImages & {
  readonly file: string
  readonly bytes: Uint8Array
  readonly text: string
  readonly given: Given
}

const maxBytes = 32 * 1024 * 1024

/** Reads a file, or stdin as `-`. Throws what reading and finding throw, naming the file. */
export async function readManifest(invocation: Invocation, file: string, kind?: ManifestKind): Promise<ReadManifest> {
  const bytes = await readInput(file, maxBytes)
  const text = await inFile(file, () => fromUtf8(bytes))
  const given = await givenFor(invocation, file)
  return { file, bytes, text, given, ...(await findImages(text, file, kind, given)) }
}

/** What variables stand for: `--build-arg` in Dockerfiles, in Compose files the file named, or `.env` beside them; and the environment in both. */
export async function givenFor({ flags, terminal }: Invocation, file: string): Promise<Given> {
  const { environment } = terminal
  const named = flags.text('env-file')
  const beside = join(file === '-' ? terminal.workingFolder : dirname(file), '.env')
  const path = named ?? ((await fileExists(beside)) ? beside : undefined)
  const text = path === undefined ? '' : await inFile(path, async () => fromUtf8(await readInput(path, 1024 * 1024)))
  return { variables: buildArguments(flags, environment), environment, environmentFile: readEnvironmentFile(text, environment) }
}

function buildArguments(flags: FlagValues, environment: Given['environment']): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  for (const argument of flags.list('build-arg')) {
    const equals = argument.indexOf('=')
    const name = equals === -1 ? argument : argument.slice(0, equals)
    const value = equals === -1 ? environment?.[name] : argument.slice(equals + 1)
    if (value === undefined)
      throw new CountersignError('usage', `--build-arg ${name.slice(0, 80)} has no value`, {
        hint: 'Write --build-arg NAME=VALUE, or set the variable.',
      })
    variables.set(name, value)
  }
  return variables
}

/** Where a mention is, for people: `FILE:LINE:COLUMN (OBJECT PATH)`. */
export function mentionPlace({ file, line, column, object, path }: ImageMention): string {
  return `${file}:${line}:${column} (${object === undefined ? '' : `${object} `}${path})`
}
