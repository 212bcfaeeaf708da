/** `countersign load`. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { type ImageReference, parseReference } from '@countersign/core/oci/reference'
import { type ArchiveContent, readArchiveContent, type TrustRole } from '@countersign/sdk/transport/archive'
import type { FlagValues } from '../command/flag-values.ts'
import type { Invocation } from '../command/invocation.ts'
import type { Conclusion } from '../report/conclusion.ts'
import { fileExists } from '../terminal/input.ts'
import { writeWhole } from '../terminal/output-file.ts'
import { carryImage, savedPlace } from './carry-image.ts'

/** Copies a saved image to a registry. */
export async function load(invocation: Invocation): Promise<Conclusion> {
  const { flags, subjects, terminal } = invocation
  const [subject = ''] = subjects
  const typed = savedPlace(flags, 'input')
  const destination = parseReference(subject)
  const content = typed.place.kind === 'archive' ? await archiveContent(flags, typed.place.file) : noArchive(flags)
  const source = chosenImage(typed, content)
  const trusting = flags.boolean('use-archive-trust', false)
  const extracted = flags.text('extract-trust')
  if (content !== undefined && content.trust.length > 0 && !trusting && extracted === undefined) {
    const names = content.trust.map(({ name }) => name).join(', ')
    terminal.warn(`The archive brings trust of its own (${names}). It is not used.`)
  }
  if (extracted !== undefined && content !== undefined) await writeTrust(content, extracted)
  const carriage = { subject, source, destination, ...(content === undefined ? {} : { archiveIndex: content.index }) }
  if (!trusting || content === undefined) return carryImage(invocation, carriage)
  const folder = await mkdtemp(join(tmpdir(), 'countersign-trust-'))
  try {
    await writeTrust(content, folder)
    const [named] = content.images
    const judgedAs = named === undefined || named.name === '' ? {} : { judgedAs: parseReference(named.name) }
    return await carryImage(invocation, { ...carriage, verifyFlags: flagsWith(flags, content, folder), ...judgedAs })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Hostile: a medium that hands out another file when it is read again. The image is the one that the list named when the list was checked. */
function chosenImage(typed: ImageReference, content: ArchiveContent | undefined): ImageReference {
  const [image, ...others] = content?.images ?? []
  if (image === undefined || others.length > 0 || typed.tag !== undefined || typed.digest !== undefined) return typed
  return { ...typed, digest: image.digest }
}

/** Hostile: an archive that brings a trusted root which nobody asked for. Who names the fingerprint has asked for exactly this one. */
async function archiveContent(flags: FlagValues, file: string): Promise<ArchiveContent | undefined> {
  const text = flags.text('fingerprint')
  const fingerprint = text === undefined ? undefined : parseDigest(text)
  if (text !== undefined && fingerprint === undefined) {
    throw new CountersignError('usage', '--fingerprint is no digest', { expected: 'sha256: and 64 hex digits', found: text.slice(0, 80) })
  }
  const asked = ['use-archive-trust', 'extract-trust'].find((name) => flags.text(name) !== undefined && flags.text(name) !== 'false')
  if (asked !== undefined && fingerprint === undefined) {
    throw new CountersignError('usage', `--${asked} needs --fingerprint`, {
      hint: 'Give the fingerprint that "countersign save" printed, as its sender told it to you by another way than the archive.',
    })
  }
  const content = await readArchiveContent(file, fingerprint)
  if (asked !== undefined && (content?.trust.length ?? 0) === 0) {
    throw new CountersignError('trust_missing', `${file} brings no trust`, {
      hint: `Leave --${asked} out, and give --key, --policy or --trusted-root.`,
    })
  }
  return content
}

function noArchive(flags: FlagValues): undefined {
  const flag = ['fingerprint', 'use-archive-trust', 'extract-trust'].find((name) => flags.text(name) !== undefined)
  if (flag === undefined) return undefined
  throw new CountersignError('usage', `--${flag} is for archives`, { hint: 'Give --input FILE.' })
}

/** Nothing that is there is overwritten. */
async function writeTrust({ trust }: ArchiveContent, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const { name, bytes } of trust) {
    const path = join(folder, name)
    if (await fileExists(path)) throw new CountersignError('file_exists', `${path} exists`, { hint: 'Name an empty folder.' })
    await writeWhole(path, bytes)
  }
}

const flagOf: Readonly<Record<TrustRole, string>> = {
  'trusted-root': 'trusted-root',
  policy: 'policy',
  revocations: 'revocations',
  'public-key': 'key',
}

/** The flags as if the trust of the archive had been typed. Trust that was typed too would make it unclear whose word counts. */
function flagsWith(flags: FlagValues, { trust }: ArchiveContent, folder: string): FlagValues {
  const values = new Map<string, string[]>([['verify', ['true']]])
  for (const { role, name } of trust) values.set(flagOf[role], [...(values.get(flagOf[role]) ?? []), join(folder, name)])
  const both = [...values.keys()].find((name) => name !== 'verify' && flags.source(name) === 'flag')
  if (both !== undefined) {
    throw new CountersignError('usage', `--use-archive-trust and --${both} contradict each other`, { hint: 'Give one of them.' })
  }
  return {
    ...flags,
    text: (name) => values.get(name)?.at(-1) ?? flags.text(name),
    list: (name) => values.get(name) ?? flags.list(name),
    boolean: (name, otherwise) => (values.has(name) ? values.get(name)?.at(-1) === 'true' : flags.boolean(name, otherwise)),
    source: (name) => (values.has(name) ? 'flag' : flags.source(name)),
  }
}
