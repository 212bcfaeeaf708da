/**
 * A backup of a running installation, in one sealed archive.
 *
 * 1. A snapshot of the database: everything that is in it is consistent, and heads of logs come from it alone. 2. What it speaks of, which never
 * changes: the tiles of the published trees, the certificates of issuers, the sealed keys. 3. The manifest. The archive appears under its name when
 * it is whole.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, link, open as openFile, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { utf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parseJsonAs } from '@countersign/core/json/parse'
import { count, documentPlace, items, members as objectMembers, nonEmptyText } from '@countersign/core/json/shape'
import { entryBundles } from '@countersign/core/tiles/entry-bundle'
import { tilePath } from '@countersign/core/tiles/path'
import { seal } from '../base/backup/sealed-stream.ts'
import { type TarFile, writeTar } from '../base/backup/tar.ts'
import { readPassphrase } from '../base/config/passphrase.ts'
import { hashBytes, plain } from '../base/crypto/primitives.ts'
import { codeOf, readFileIfThere, syncFolder } from '../base/data-folder/durable-file.ts'
import type { Database } from '../base/database/database.ts'
import { openSqlite } from '../base/database/sqlite.ts'
import { snapshotSqlite } from '../base/database/sqlite-snapshot.ts'
import { ctTileFormat } from '../log/ct/tree.ts'
import { treeFiles } from '../log/engine/files.ts'
import { publishedTiles } from '../log/engine/published-tiles.ts'
import { readTree } from '../log/engine/tree-store.ts'
import { openTrust } from '../trust/trust.ts'
import { administer, type AdministerRequest, loadInstallation } from './administer.ts'
import type { ServerPlatform } from './platform.ts'

/** What was saved. */
export type Backup = {
  readonly file: string
  readonly bytes: number
  readonly files: number
  readonly logs: readonly { readonly name: string; readonly size: number }[]
}

/** The manifest: the last file of the archive. */
export type Manifest = {
  readonly version: 1
  readonly createdAt: number
  readonly installation: string
  readonly publicUrl: string
  readonly files: readonly { readonly name: string; readonly size: number; readonly sha256: string }[]
}

const primitives = { hash: hashBytes }

/** Names of the archive's fixed members. */
export const members = { database: 'database.sqlite', manifest: 'manifest.json', blobs: 'blobs/', keys: 'keys/' } as const

/**
 * Saves an installation, beside its running server. The archive is sealed with the passphrase of the installation, which is not in it. Throws
 * `file_exists` when there is such a file, `not_supported` for an installation whose storage is elsewhere.
 */
export async function backUp(request: AdministerRequest, file: string): Promise<Backup> {
  const { configuration, data, access } = await loadInstallation(request)
  if (configuration.database.kind !== 'sqlite' || configuration.blobs.kind !== 'files') {
    throw new CountersignError('not_supported', 'the database or the blobs of this installation are elsewhere', {
      hint: 'Save the database with pg_dump first, then the bucket (tiles never change), then the folder of keys; the passphrase apart from them.',
    })
  }
  const passphrase = await readPassphrase(configuration.keys.passphrase, data, access, false)
  return administer({ ...request, access }, 'none', async ({ platform }) => {
    const snapshot = join(data, `.backup-${randomBytes(6).toString('hex')}.sqlite`)
    try {
      await snapshotSqlite(join(data, members.database), snapshot)
      return await save(platform, snapshot, passphrase, file)
    } finally {
      for (const name of [snapshot, `${snapshot}-wal`, `${snapshot}-shm`]) await unlink(name).catch(unlessAbsent)
    }
  })
}

async function save(platform: ServerPlatform, snapshot: string, passphrase: Uint8Array, file: string): Promise<Backup> {
  const database = await openSqlite(snapshot)
  try {
    const logs: { name: string; size: number }[] = []
    const listed: Manifest['files'][number][] = []
    const archive = writeTar(withManifest(platform, contentOf(platform, database, snapshot, logs), listed))
    const bytes = await writeFileOnce(file, seal(passphrase, archive))
    await platform.audit.record({
      action: 'main.backup',
      actor: 'system',
      from: 'local',
      subject: platform.installation.publicUrl,
      outcome: 'done',
      detail: { bytes, files: listed.length },
    })
    return { file, bytes, files: listed.length, logs }
  } finally {
    await database.close()
  }
}

async function* contentOf(
  { data, blobs, keys, clock }: ServerPlatform,
  database: Database,
  snapshot: string,
  logs: { name: string; size: number }[],
): AsyncGenerator<TarFile> {
  for (const name of ['VERSION', 'installation.json', 'config.yaml']) {
    const bytes = await readFileIfThere(join(data, name))
    if (bytes !== undefined) yield inMemory(name, bytes)
  }
  yield await onDisk(members.database, snapshot)
  for (const { id, role, anchor } of await openTrust({ database, keys, clock }).instances()) {
    if (anchor.kind !== 'key') continue
    const { published } = await readTree(database, id)
    const folder = `log/${id}/`
    const format = role === 'ct' ? ctTileFormat : entryBundles
    const files = treeFiles(primitives, blobs, folder, format)
    for (const name of publishedTiles(published.size, format.folder)) {
      const bytes = await files.read(name)
      if (bytes === undefined) throw new CountersignError('log_damaged', `${folder}${tilePath(name)} is missing`)
      yield inMemory(`${members.blobs}${folder}${tilePath(name)}`, bytes)
    }
    yield inMemory(`${members.blobs}${folder}checkpoint`, utf8(published.note))
    logs.push({ name: id, size: published.size })
  }
  for await (const name of blobs.list('')) {
    if (name.startsWith('log/')) continue
    const bytes = await blobs.get(name)
    if (bytes !== undefined) yield inMemory(`${members.blobs}${name}`, bytes)
  }
  // After the snapshot: every key that it speaks of is there by now.
  for (const name of (await readdir(join(data, 'keys'))).toSorted()) {
    const bytes = /^[a-z0-9][a-z0-9-]*\.(?:key|pub|json)$/.test(name) ? await readFileIfThere(join(data, 'keys', name)) : undefined
    if (bytes !== undefined) yield inMemory(`${members.keys}${name}`, bytes)
  }
}

async function* withManifest(
  { installation, clock }: ServerPlatform,
  files: AsyncIterable<TarFile>,
  listed: Manifest['files'][number][],
): AsyncGenerator<TarFile> {
  for await (const { name, size, content } of files) {
    const hash = createHash('sha256')
    const hashed = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of content) {
        hash.update(piece)
        yield piece
      }
    }
    yield { name, size, content: hashed() }
    listed.push({ name, size, sha256: hash.digest('hex') })
  }
  const manifest: Manifest = {
    version: 1,
    createdAt: clock(),
    installation: installation.id,
    publicUrl: installation.publicUrl,
    files: listed,
  }
  yield inMemory(members.manifest, utf8(JSON.stringify(manifest)))
}

function inMemory(name: string, bytes: Uint8Array): TarFile {
  const content = async function* (): AsyncGenerator<Uint8Array> {
    if (bytes.length > 0) yield bytes
  }
  return { name, size: bytes.length, content: content() }
}

async function onDisk(name: string, path: string): Promise<TarFile> {
  const content = async function* (): AsyncGenerator<Uint8Array> {
    for await (const piece of createReadStream(path, { highWaterMark: 256 * 1024 })) yield plain(piece as Buffer)
  }
  return { name, size: (await stat(path)).size, content: content() }
}

/** The file is there whole or not at all, and never in the place of another. */
async function writeFileOnce(path: string, pieces: AsyncIterable<Uint8Array>): Promise<number> {
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.new`
  let file: FileHandle | undefined
  try {
    if ((await stat(path).catch(unlessAbsent)) !== undefined) throw exists(path)
    file = await openFile(unfinished, 'wx', 0o600)
    let bytes = 0
    for await (const piece of pieces) {
      await file.writeFile(piece)
      bytes += piece.length
    }
    await file.sync()
    await link(unfinished, path)
    await syncFolder(dirname(path))
    return bytes
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause
    if (codeOf(cause) === 'EEXIST') throw exists(path)
    throw new CountersignError('io_failed', `${path} cannot be written (${codeOf(cause)})`, { cause })
  } finally {
    await file?.close()
    await unlink(unfinished).catch(unlessAbsent)
  }
}

function exists(path: string): CountersignError {
  return new CountersignError('file_exists', `there is a file ${path} already`, { hint: 'Give the backup another name.' })
}

function unlessAbsent(cause: unknown): undefined {
  if (codeOf(cause) === 'ENOENT') return undefined
  throw cause
}

/** Reads a manifest. Throws `backup_damaged`. */
export function parseManifest(bytes: Uint8Array): Manifest {
  const document = parseJsonAs('backup_damaged', 'the manifest', bytes, { maxBytes: 512 * 1024 * 1024, maxDepth: 4, maxValues: 16_000_000 })
  const field = objectMembers(documentPlace(document.value, 'backup_damaged'), [
    'version',
    'createdAt',
    'installation',
    'publicUrl',
    'files',
  ])
  if (count(field('version')) !== 1) throw new CountersignError('backup_damaged', 'the manifest is of another version')
  const files = items(field('files'), 4_000_000).map((place) => {
    const member = objectMembers(place, ['name', 'size', 'sha256'])
    return { name: nonEmptyText(member('name')), size: count(member('size')), sha256: nonEmptyText(member('sha256')) }
  })
  const [installation, publicUrl] = [nonEmptyText(field('installation')), nonEmptyText(field('publicUrl'))]
  return { version: 1, createdAt: count(field('createdAt')), installation, publicUrl, files }
}
