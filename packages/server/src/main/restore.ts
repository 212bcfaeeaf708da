/**
 * A backup becomes an installation again, in a folder where nothing is.
 *
 * What happened after the backup is not known: its logs may have signed more. So none of them goes on: each is frozen as it was saved and followed
 * by a shard under a new key (design of storage: a restored backup never continues a log). Metadata of TUF goes on under versions that no client
 * has seen. What works once (links, sessions) is forgotten, and so is the witness, which cannot know what it has cosigned since.
 *
 * 1. The files are unpacked below the folder, each against its digest; 2. everything is proven; 3. logs are closed and continued; 4. the files are
 * named in the folder, `installation.json` and `VERSION` last. A crash before 4 leaves a folder that no server takes for an installation.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open as openFile, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { concatBytes } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { open } from '../base/backup/sealed-stream.ts'
import { readTar, type TarFile } from '../base/backup/tar.ts'
import { readPassphrase } from '../base/config/passphrase.ts'
import { plain } from '../base/crypto/primitives.ts'
import { codeOf, createFile, makeFolder, syncFolder } from '../base/data-folder/durable-file.ts'
import { closeToOthers } from '../base/data-folder/exposure.ts'
import { inspectFolder } from '../base/data-folder/installation.ts'
import type { Statements } from '../base/database/database.ts'
import { freezeTree, readTree } from '../log/engine/tree-store.ts'
import { mayHaveSigned } from '../trust/instances.ts'
import { openTrust } from '../trust/trust.ts'
import { leapVersions } from '../trust/repository/leap.ts'
import { lastSignedMs } from '../trust/repository/state.ts'
import type { Operator } from './accounts.ts'
import { administer, type AdministerRequest, loadInstallation, type OpenInstallation } from './administer.ts'
import { type Manifest, members, parseManifest } from './backup.ts'
import { fsckInstallation, type InstallationProof, type ProofOptions } from './fsck.ts'
import { rotateKey } from './rotation.ts'

/** What came of it. */
export type Restored = {
  readonly data: string
  readonly publicUrl: string
  /** When the backup was made, Unix milliseconds: what happened after it is lost. */
  readonly createdAt: number
  /** The proof of everything as it was saved. */
  readonly proof: InstallationProof
  /** Logs that are frozen, and those that follow them. */
  readonly shards: readonly { readonly frozen: string; readonly size: number; readonly next: string }[]
  /** Trust waits for the signatures of keys that are elsewhere; until then the logs take nothing. */
  readonly proposed: boolean
}

/** Restores. Throws `data_folder_occupied`, `backup_damaged`, `key_password_wrong`, `log_altered`; the folder is as empty as before then. */
export async function restore(request: AdministerRequest, file: string, operator: Operator, options: ProofOptions = {}): Promise<Restored> {
  const { data, access, configuration } = await loadInstallation(request)
  if ((await inspectFolder(data)).kind !== 'empty') {
    throw new CountersignError('data_folder_occupied', `${data} is not empty`, {
      expected: 'an absent or empty folder',
      hint: 'Name another folder with --data; nothing is ever restored over something.',
    })
  }
  const { passphrase: source } = configuration.keys
  if (source.kind === 'generated') {
    throw new CountersignError('key_password_missing', 'the backup is sealed with the passphrase that the installation had', {
      hint: 'Name it: --passphrase file:PATH, env:NAME, credential:NAME or prompt.',
    })
  }
  const passphrase = await readPassphrase(source, data, access, false)
  await makeFolder(data)
  await closeToOthers(data)
  const unpacked = join(data, `.restoring-${randomBytes(6).toString('hex')}`)
  try {
    const manifest = await unpack(file, passphrase, unpacked)
    await demandPlainConfiguration(request, unpacked)
    const restored = await administer({ ...request, access, data: unpacked }, 'alone', (installation) =>
      continueAnew(installation, manifest, operator, options),
    )
    // The file that a first start makes, where the restored configuration names no other source.
    if (!(await namesPassphrase(request, unpacked)))
      await createFile(join(data, 'passphrase'), concatBytes(passphrase, Uint8Array.of(10)), 0o600)
    await settle(unpacked, data)
    return { ...restored, data }
  } finally {
    await rm(unpacked, { recursive: true, force: true })
  }
}

/** 1. Unpack: every file against its digest, none missing and none more. */
async function unpack(file: string, passphrase: Uint8Array, folder: string): Promise<Manifest> {
  const found = new Map<string, string>()
  let manifest: Manifest | undefined
  await mkdir(folder, { mode: 0o700 })
  const folders = new Set([folder])
  for await (const entry of readTar(open(passphrase, readPieces(file)))) {
    if (manifest !== undefined) throw new CountersignError('backup_damaged', 'a file follows the manifest of the backup')
    if (entry.name === members.manifest) {
      manifest = parseManifest(await inMemory(entry))
      continue
    }
    if (!memberName.test(entry.name)) throw new CountersignError('backup_damaged', `${entry.name} is nothing that a backup holds`)
    if (found.has(entry.name)) throw new CountersignError('backup_damaged', `${entry.name} is in the backup twice`)
    found.set(entry.name, await writeEntry(entry, join(folder, entry.name), folders))
  }
  for (const { name, sha256 } of manifest?.files ?? []) {
    if (found.get(name) !== sha256) throw new CountersignError('backup_damaged', `${name} is not in the backup as the manifest says`)
  }
  if (manifest === undefined || manifest.files.length !== found.size) {
    throw new CountersignError('backup_damaged', 'the manifest of the backup is missing, or does not name every file')
  }
  // A witness that forgot what it cosigned is another witness: with a key of its own, which it makes when it is asked for.
  for (const name of found.keys()) if (name.startsWith(`${members.keys}witness-`)) await rm(join(folder, name))
  for (const each of folders) await syncFolder(each)
  await mkdir(join(folder, 'blobs'), { recursive: true, mode: 0o700 })
  return manifest
}

const memberName = /^(?:VERSION|installation\.json|config\.yaml|database\.sqlite|blobs\/.+|keys\/[a-z0-9][a-z0-9-]*\.(?:key|pub|json))$/

/**
 * Hostile: who made the archive would choose, by the configuration in it, which program is loaded, and which database is emptied of what must not be
 * used twice. A configuration that the operator names is their own.
 */
async function demandPlainConfiguration(request: AdministerRequest, data: string): Promise<void> {
  if (request.config !== undefined) return
  const { database, blobs, keys } = (await loadInstallation({ ...request, data })).configuration
  if (database.kind !== 'sqlite' || blobs.kind !== 'files') {
    throw new CountersignError('backup_damaged', 'the configuration in the backup names a storage elsewhere, of which no backup is made')
  }
  if (keys.pkcs11 === undefined) return
  throw new CountersignError('usage', `the configuration in the backup would load a program, ${keys.pkcs11.module}`, {
    hint: 'If the installation is yours and has a token, say so in a configuration of your own: --config FILE.',
  })
}

async function* readPieces(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(file, { highWaterMark: 256 * 1024 })) yield plain(piece as Buffer)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') throw new CountersignError('file_not_found', `there is no file ${file}`, { cause })
    if (cause instanceof CountersignError) throw cause
    throw new CountersignError('io_failed', `${file} cannot be read (${codeOf(cause)})`, { cause })
  }
}

const maxManifestBytes = 512 * 1024 * 1024

async function inMemory({ name, size, content }: TarFile): Promise<Uint8Array> {
  if (size > maxManifestBytes) throw new CountersignError('backup_damaged', `${name} is too large`)
  const pieces: Uint8Array[] = []
  for await (const piece of content) pieces.push(piece)
  return concatBytes(...pieces)
}

async function writeEntry({ name, content }: TarFile, path: string, folders: Set<string>): Promise<string> {
  const folder = dirname(path)
  if (!folders.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 })
  folders.add(folder)
  const hash = createHash('sha256')
  const file = await openFile(path, 'wx', name.startsWith(members.blobs) || name.endsWith('.pub') ? 0o644 : 0o600)
  try {
    for await (const piece of content) {
      hash.update(piece)
      await file.writeFile(piece)
    }
    await file.datasync()
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

/** 2. and 3. Prove, then close and continue. */
async function continueAnew(
  installation: OpenInstallation,
  manifest: Manifest,
  operator: Operator,
  options: ProofOptions,
): Promise<Omit<Restored, 'data'>> {
  const { platform } = installation
  const proof = await fsckInstallation(installation, options)
  if (proof.damage !== undefined) {
    const { where, detail, ...parts } = proof.damage
    throw new CountersignError('log_altered', `the backup does not hold a whole installation: ${where}: ${detail}`, parts)
  }
  const { database, keys, clock } = platform
  await forget(installation)
  // At most one publication in a second: later than whatever was published since.
  const elapsed = Math.max(0, Math.ceil((clock() - (await lastSignedMs(database))) / 1000))
  await leapVersions({ database, keys, clock }, 1000 + elapsed)
  const shards: { frozen: string; size: number; next: string }[] = []
  let proposed = false
  const instances = await openTrust({ database, keys, clock }).instances()
  for (const role of ['rekor2', 'rekor1', 'ct'] as const) {
    const all = instances.filter((instance) => instance.role === role)
    const last = all.findLast((instance) => mayHaveSigned(instance, manifest.createdAt))
    if (last === undefined) continue
    // Those too that were planned: their time may have come since.
    for (const { id } of all) await freezeTree(database, id)
    const { name, change } = await rotateKey(installation, role, operator, { overlapMs: 0 })
    proposed ||= change === 'proposed'
    shards.push({ frozen: last.id, size: (await readTree(database, last.id)).head.size, next: name })
  }
  await platform.audit.record({
    action: 'main.restored',
    actor: `operator ${operator.name}`,
    from: 'local',
    subject: manifest.publicUrl,
    outcome: 'done',
    detail: { savedAt: new Date(manifest.createdAt).toISOString(), shards: shards.map(({ next }) => next).join(', ') },
  })
  return { publicUrl: manifest.publicUrl, createdAt: manifest.createdAt, proof, shards, proposed }
}

/** What was good once may have been used since: links to log in, sessions, waiting entries. Staged batches are in proven tiles by now. */
async function forget({ platform }: OpenInstallation): Promise<void> {
  const { database } = platform
  const clear = async (raw: Statements): Promise<void> => {
    for (const table of ['identity_links', 'identity_provider', 'log_queue', 'leases', 'witness_trees', 'witness_sealed_keys']) {
      await raw.run(`delete from ${table}`)
    }
    await raw.run(
      'delete from log_staged where exists (select 1 from log_trees where id = log_staged.tree and first + count <= published_size)',
    )
  }
  await database.transaction(async (_, raw) => clear(raw))
}

async function namesPassphrase(request: AdministerRequest, data: string): Promise<boolean> {
  const { passphrase: _typed, ...rest } = request
  return (await loadInstallation({ ...rest, data })).configuration.keys.passphrase.kind !== 'generated'
}

/** 4. Name the files: what makes a folder an installation comes last. */
async function settle(from: string, to: string): Promise<void> {
  const last = ['installation.json', 'VERSION']
  const names = (await readdir(from)).filter((name) => !last.includes(name) && !name.startsWith('countersign.lock'))
  for (const name of [...names, ...last]) {
    await rename(join(from, name), join(to, name))
    await syncFolder(to)
  }
}
