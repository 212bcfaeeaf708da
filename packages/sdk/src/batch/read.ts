/** From a file that lists artifacts to the items of a run: what it is, its content tells. */
import { dirname, join } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseReference } from '@countersign/core/oci/reference'
import { findImages } from '../manifests/find.ts'
import type { Given, ImageMention } from '../manifests/model.ts'
import { looksLikeChecksums, readChecksums } from './checksums.ts'
import { findEvidence } from './evidence.ts'
import { readBatchManifest } from './manifest.ts'
import { type BatchFileKind, type BatchItem, type ChecksumList, maxBatchItems } from './model.ts'
import { imageWithin } from './paths.ts'

/** A file that lists artifacts, or standard input as `-`. */
export type BatchFile = {
  readonly name: string
  readonly bytes: Uint8Array
  /** What it is, where its content shall not decide. */
  readonly kind?: BatchFileKind
  /** Lists of digests: the signatures of the list, where they are not beside it. */
  readonly evidence?: readonly string[]
  /** What the variables of Compose files and Dockerfiles stand for. */
  readonly given?: Given
}

/** The items that a file lists, in its order. Throws `batch_malformed`, `utf8_malformed`, `limit_exceeded`, and what the readers of its kind throw. */
export async function readBatchFile(file: BatchFile): Promise<readonly BatchItem[]> {
  const text = fromUtf8(file.bytes).replace(/^\u{feff}/u, '')
  const kind = file.kind ?? kindOf(text)
  const folder = file.name === '-' ? '' : dirname(file.name)
  if (kind === 'batch') return readBatchManifest(text, file.name, folder)
  if (kind === 'checksums') return readChecksumItems(text, file, folder)
  const { kind: told, images } = await findImages(text, file.name, kind === 'images' ? 'image-list' : kind, file.given)
  if (images.length > maxBatchItems) throw new CountersignError('limit_exceeded', `${file.name} names more than ${maxBatchItems} images`)
  // A manifest that somebody else runs means images elsewhere; a list is ours, and its paths are relative to it.
  return images.map((mention) => imageItem(mention, told === 'image-list' ? folder : undefined))
}

/** What is left to the reader of manifests is `undefined`. */
function kindOf(text: string): 'batch' | 'checksums' | undefined {
  if (looksLikeChecksums(text)) return 'checksums'
  if (/^\s*\{/.test(text))
    return /^\s*\{\s*["']?(?:version|defaults|artifacts)["']?\s*:/.test(text) && text.includes('artifacts') ? 'batch' : undefined
  return /^["']?artifacts["']?[ \t]*:/m.test(text) && !/^(?:apiVersion|services)[ \t]*:/m.test(text) ? 'batch' : undefined
}

function imageItem(mention: ImageMention, folder: string | undefined): BatchItem {
  const { text: subject, file, line, column, path } = mention
  const common = { subject, at: { file, line, column, path }, demands: {} }
  if (mention.skip !== undefined && mention.unresolved !== true)
    return { kind: 'skipped', type: 'container', ...common, reason: mention.skip }
  try {
    if (mention.skip !== undefined)
      throw new CountersignError('image_unresolved', `it cannot be told which image is meant: ${mention.skip}`)
    const image = parseReference(folder === undefined ? subject : imageWithin(folder, subject))
    // Hostile: who runs the file knows images in registries alone; a path of this machine would vouch for something else.
    if (folder === undefined && image.place.kind !== 'registry')
      throw new CountersignError('reference_malformed', `${JSON.stringify(subject.slice(0, 200))} is not in a registry`)
    return { kind: 'container', ...common, image }
  } catch (failure) {
    if (failure instanceof CountersignError) return { kind: 'failed', type: 'container', ...common, failure }
    throw failure
  }
}

/** The list itself, where it is signed, and then each file that it names. */
async function readChecksumItems(text: string, file: BatchFile, folder: string): Promise<readonly BatchItem[]> {
  const lines = readChecksums(text, file.name)
  const evidence = file.evidence ?? (await evidenceOfList(file.name))
  const list: ChecksumList = { path: file.name, bytes: file.bytes, ...(evidence === undefined ? {} : { evidence }) }
  const items: BatchItem[] = []
  if (evidence !== undefined)
    items.push({
      kind: 'file',
      subject: file.name,
      path: file.name,
      bytes: file.bytes,
      demands: {},
      evidence: { kind: 'files', paths: evidence },
    })
  for (const { name, digest, line, escapes } of lines) {
    const common = { subject: folder === '' ? name : join(folder, name), at: { file: file.name, line }, demands: {} }
    if (escapes) items.push({ kind: 'failed', type: 'file', ...common, subject: name, failure: escaped(name, file.name, line) })
    else items.push({ kind: 'file', ...common, path: common.subject, evidence: { kind: 'beside' }, listed: { digest, list } })
  }
  return items
}

async function evidenceOfList(name: string): Promise<readonly string[] | undefined> {
  if (name === '-') return undefined
  try {
    return await findEvidence(name, { kind: 'beside' })
  } catch (cause) {
    if (cause instanceof CountersignError && cause.code === 'no_signature') return undefined
    throw cause
  }
}

function escaped(name: string, list: string, line: number): CountersignError {
  return new CountersignError('path_escape', `${list}:${line}: the name leads out of the folder of the list`, {
    found: JSON.stringify(name.slice(0, 200)),
  })
}
