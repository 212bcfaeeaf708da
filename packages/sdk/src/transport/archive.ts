/**
 * The archive for a closed network: an image layout in a tar file, and beside it trust that travels along (trusted root, policy, revocation
 * lists, public keys) and a list of the content.
 *
 * Hostile: whoever can change the archive can change the list too, and put trust of their own in. The list proves that the archive is whole, and
 * nothing else. Its digest is the archive's fingerprint: who has that from somewhere else has a proof of all of it. Without it nothing of the
 * trust in an archive is ever used.
 */
import { utf8 } from '@countersign/core/bytes'
import { type Digest, parseDigest } from '@countersign/core/digest'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { count, documentPlace, items, members, nonEmptyText, oneOf, optional, type Place, refuse } from '@countersign/core/json/shape'
import type { ArchiveWriter } from '../layout/archive-writer.ts'
import { archiveContentPath, archiveTrustFolder, openTarStore } from '../layout/tar-store.ts'
import { altered, checkDigest, sha256Digest } from '../registry/verified-stream.ts'

/** What a file of trust is. */
export type TrustRole = 'trusted-root' | 'policy' | 'revocations' | 'public-key'

/** Trust to put in, under a name without folders. */
export type TrustFile = { readonly role: TrustRole; readonly name: string; readonly bytes: Uint8Array }

/** An image in an archive: what it was called, which is a claim, and what it is. */
export type ArchivedImage = { readonly name: string; readonly digest: Digest }

/** What an archive says it holds, every file of it checked against the list. */
export type ArchiveContent = {
  /** SHA-256 of the list. */
  readonly fingerprint: Digest
  /** SHA-256 of `index.json`, which must be the same when the archive is opened again to be carried (`Connection.archiveIndex`). */
  readonly index: Digest
  readonly images: readonly ArchivedImage[]
  readonly trust: readonly TrustFile[]
}

type ListedFile = { readonly path: string; readonly role: TrustRole | 'index'; readonly digest: Digest; readonly size: number }

const roles = ['trusted-root', 'policy', 'revocations', 'public-key', 'index'] as const
const schema = 'countersign-archive/1'
const maxFiles = 1_000
/** No separators, nothing hidden, nothing that a shell or file system takes for something else. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/**
 * Puts trust into an archive, and the list of everything, and finishes it. Returns the fingerprint. Throws `usage` for names that are no plain
 * file names or occur twice, `io_failed`.
 */
export async function finishArchive(
  archive: ArchiveWriter,
  images: readonly ArchivedImage[],
  trust: readonly TrustFile[],
): Promise<Digest> {
  const names = new Set<string>()
  for (const { name } of trust) {
    if (!namePattern.test(name) || names.has(name)) {
      throw new CountersignError('usage', 'a file cannot go into the archive under its name', {
        expected: 'letters, digits, ".", "_" and "-", each name once',
        found: JSON.stringify(name.slice(0, 100)),
        hint: 'Rename the file.',
      })
    }
    names.add(name)
  }
  let fingerprint: Digest | undefined
  await archive.finish(async (index) => {
    const listed: ListedFile[] = [{ path: 'index.json', role: 'index', digest: sha256Digest(index), size: index.length }]
    for (const { role, name, bytes } of trust) {
      const path = `${archiveTrustFolder}${name}`
      await archive.addFile(path, bytes)
      listed.push({ path, role, digest: sha256Digest(bytes), size: bytes.length })
    }
    const list = utf8(`${JSON.stringify({ schema, images, files: listed }, undefined, 2)}\n`)
    fingerprint = sha256Digest(list)
    await archive.addFile(archiveContentPath, list)
  })
  if (fingerprint === undefined) throw new CountersignError('internal', 'the archive has no list of its content')
  return fingerprint
}

/**
 * Reads the list of an archive and checks `index.json` and every file of trust against it; blobs are checked when they are read. `undefined` for
 * an archive that another tool made. With `fingerprint`, a list of another digest, or none, is `content_altered`.
 * Throws `layout_malformed`, `content_altered`, and what opening an archive throws.
 */
export async function readArchiveContent(file: string, fingerprint?: Digest): Promise<ArchiveContent | undefined> {
  const store = await openTarStore(file)
  const list = await store.beside(archiveContentPath)
  if (list === undefined) {
    if (fingerprint === undefined) return undefined
    throw new CountersignError('content_altered', `${store.name} has no list of its content`, {
      expected: fingerprint,
      hint: 'It was not made by "countersign save --output", or its list was taken out.',
    })
  }
  if (fingerprint !== undefined) checkDigest(list, fingerprint, `the list of content in ${store.name}`)
  const { images, files } = parseList(list)
  const trust: TrustFile[] = []
  let index: Digest | undefined
  for (const { path, role, digest, size } of files) {
    const bytes = role === 'index' ? await store.index() : await store.beside(path)
    if (bytes === undefined)
      throw new CountersignError('content_altered', `${store.name} lacks ${path}, which its list names`, { expected: digest })
    if (bytes.length !== size) throw altered(`${path} in ${store.name}`, `${size} bytes`, `${bytes.length} bytes`)
    checkDigest(bytes, digest, `${path} in ${store.name}`)
    if (role === 'index') index = sha256Digest(bytes)
    else trust.push({ role, name: path.slice(archiveTrustFolder.length), bytes })
  }
  if (index === undefined) throw new CountersignError('internal', 'a list without index.json was accepted')
  return { fingerprint: sha256Digest(list), index, images, trust }
}

function parseList(list: Uint8Array): { readonly images: readonly ArchivedImage[]; readonly files: readonly ListedFile[] } {
  const { value } = parseJsonAs('layout_malformed', archiveContentPath, list)
  const root = documentPlace(value, 'layout_malformed')
  const field = members(root, ['schema', 'images', 'files'])
  if (nonEmptyText(field('schema')) !== schema) refuse(field('schema'), 'not a version that is known', { expected: schema })
  const files = items(field('files'), maxFiles).map(readFile)
  if (files.filter(({ role }) => role === 'index').length !== 1) refuse(field('files'), 'not exactly one index.json')
  return {
    images: items(field('images'), maxFiles).map((item) => {
      const image = members(item, ['name', 'digest'])
      return { name: optional(image('name'), nonEmptyText) ?? '', digest: readDigest(image('digest')) }
    }),
    files,
  }
}

/** Hostile: paths that climb out of the folder into which somebody unpacks. */
function readFile(item: Place): ListedFile {
  const field = members(item, ['path', 'role', 'digest', 'size'])
  const path = nonEmptyText(field('path'))
  const role = oneOf(field('role'), roles)
  const plain = path.startsWith(archiveTrustFolder) && namePattern.test(path.slice(archiveTrustFolder.length))
  if (role === 'index' ? path !== 'index.json' : !plain)
    refuse(field('path'), 'not a plain name in its folder', { found: JSON.stringify(path.slice(0, 100)) })
  return { path, role, digest: readDigest(field('digest')), size: count(field('size')) }
}

function readDigest(at: Place): Digest {
  return parseDigest(nonEmptyText(at)) ?? refuse(at, 'not a digest')
}
