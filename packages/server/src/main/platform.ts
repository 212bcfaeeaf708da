/** What every service stands on: the data folder, database, blobs and keys of one installation, opened for one process. */
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { databaseAudit, type DatabaseAudit } from '../base/audit/database-audit.ts'
import type { BlobStore } from '../base/blobs/blob-store.ts'
import { fileBlobs } from '../base/blobs/file-blobs.ts'
import { s3Blobs } from '../base/blobs/s3-blobs.ts'
import type { Clock } from '../base/clock.ts'
import { type PassphraseAccess, passphraseFile, readPassphrase } from '../base/config/passphrase.ts'
import type { TokenChoice } from '../base/config/process.ts'
import { resolveSecret, type SecretReference } from '../base/config/reference.ts'
import { makeFolder } from '../base/data-folder/durable-file.ts'
import { closeToOthers, exposuresOf, exposureWarning } from '../base/data-folder/exposure.ts'
import { beginInstallation, completeInstallation, demandParts, inspectFolder, type Installation } from '../base/data-folder/installation.ts'
import { demandInstallation, recordInstallation } from '../base/data-folder/installation-record.ts'
import { type FolderLock, folderLock, type LockMode } from '../base/data-folder/lock.ts'
import type { Database } from '../base/database/database.ts'
import { migrate } from '../base/database/migrate.ts'
import { openPostgres } from '../base/database/postgres.ts'
import { openSqlite } from '../base/database/sqlite.ts'
import type { Log } from '../base/http/log.ts'
import { fileKeyStore } from '../base/keys/key-files.ts'
import type { KeyStore, SecretBox } from '../base/keys/role-key.ts'
import { createVault } from '../base/keys/vault.ts'
import { databaseLeases } from '../base/leases/database-leases.ts'
import type { Leases } from '../base/leases/lease.ts'
import { soleLeases } from '../base/leases/sole-leases.ts'
import type { Configuration } from './configuration.ts'
import { migrations } from './migrations.ts'

/** Everything that rooms are made of. */
export type ServerPlatform = {
  readonly data: string
  readonly configuration: Configuration
  readonly installation: Installation
  readonly database: Database
  readonly blobs: BlobStore
  readonly keys: KeyStore
  readonly secrets: SecretBox
  readonly leases: Leases
  readonly audit: DatabaseAudit
  readonly clock: Clock
  readonly log: Log
  /** Variables of the environment. */
  readonly environment: PassphraseAccess['environment']
  /** The secret that a reference in the configuration names. */
  readonly secretOf: (reference: SecretReference) => Promise<Uint8Array>
  /** Told of durable steps; see {@link PlatformOptions}. Nothing unless a test asks for it. */
  readonly step?: FirstStartStep
  /** True while the first start is not complete: only then rooms make keys, roots and logs; later their absence is an error. */
  readonly firstStart: boolean
  /** Closes the database and gives the lock back. */
  readonly close: () => Promise<void>
}

/** Told of each durable step of a first start before it is done. */
export type FirstStartStep = (name: string) => void | Promise<void>

/** How an installation is opened. */
export type PlatformOptions = {
  readonly data: string
  readonly configuration: Configuration
  readonly access: PassphraseAccess
  readonly clock: Clock
  readonly log: Log
  /**
   * `serve`: for a server; alone, or together with others on one database server. `alone`: for what changes or proves everything.
   * `none`: for small changes beside a running server.
   */
  readonly lock: 'serve' | 'alone' | 'none'
  /** What a first start makes; absent where there may be none. */
  readonly first?: Pick<Installation, 'publicUrl' | 'listen'>
  /**
   * Called with the name of each durable step of a first start (`first-start-1-describe`), of a blob (`blob sync NAME`) and of a log
   * (`rekor2-1 before stage`) before it is done; what it throws, or never answers, stands for a failure or a crash there.
   */
  readonly step?: FirstStartStep
}

/**
 * Opens an installation; in an absent or empty folder it begins one, in a folder whose first start was interrupted it goes on with that.
 * `finish` does what is left of a first start (rooms' keys, roots and logs) before its end is written.
 * Throws `data_folder_*`, `key_password_*`, `config_reference_missing`, `database_*`.
 */
export async function openPlatform(
  options: PlatformOptions,
  finish: (platform: ServerPlatform, step: FirstStartStep) => Promise<void>,
): Promise<ServerPlatform> {
  const { data, configuration, first } = options
  const step = options.step ?? (() => undefined)
  const empty = (await inspectFolder(data)).kind === 'empty'
  if (empty && first === undefined) throw noInstallation(data, configuration)
  if (empty) {
    await makeFolder(data)
    await closeToOthers(data)
  }
  const warning = exposureWarning(await exposuresOf(data, passphraseFile(configuration.keys.passphrase)))
  if (warning !== undefined) options.log.warn({}, warning)
  // A first start is one process's work; those that share a database server come together afterwards.
  const lock = options.lock === 'none' ? undefined : folderLock(data, empty ? 'alone' : modeOf(options))
  try {
    // Again, now that nobody else can change it.
    const state = await inspectFolder(data)
    if (state.kind === 'complete') return await openComplete(options, state.installation, lock)
    if (first === undefined) throw noInstallation(data, configuration)
    lock?.change('alone')
    const installation = state.kind === 'empty' ? newInstallation(options) : state.installation
    demandSameUrl(data, installation, first.publicUrl)
    if (state.kind === 'empty') {
      await step('first-start-1-describe')
      await beginInstallation(data, installation)
    }
    const platform = await openParts(options, installation, true, lock, step)
    await completeFirstStart(platform, finish, step)
    lock?.change(modeOf(options))
    return platform
  } catch (failure) {
    lock?.release()
    throw failure
  }
}

async function openComplete(options: PlatformOptions, installation: Installation, lock: FolderLock | undefined): Promise<ServerPlatform> {
  if (options.first !== undefined) demandSameUrl(options.data, installation, options.first.publicUrl)
  return openParts(options, installation, false, lock, () => undefined)
}

async function completeFirstStart(
  platform: ServerPlatform,
  finish: (platform: ServerPlatform, step: FirstStartStep) => Promise<void>,
  step: FirstStartStep,
): Promise<void> {
  try {
    await finish(platform, step)
    await step('first-start-9-complete')
    await completeInstallation(platform.data)
  } catch (failure) {
    await platform.database.close()
    throw failure
  }
}

/** Each part is made at a first start where it is not there yet, and must be there at every other. */
async function openParts(
  options: PlatformOptions,
  installation: Installation,
  firstStart: boolean,
  lock: FolderLock | undefined,
  step: FirstStartStep,
): Promise<ServerPlatform> {
  const { data, configuration, access, clock, log } = options
  if (!firstStart) await demandParts(data, partsOf(configuration))
  const keyFolder = join(data, 'keys')
  if (firstStart) await step('first-start-2-passphrase')
  const passphrase = await readPassphrase(configuration.keys.passphrase, data, access, firstStart)
  if (firstStart) {
    await step('first-start-3-vault')
    await createVault(keyFolder, passphrase)
  }
  const opened = await fileKeyStore(keyFolder, passphrase)
  const token = configuration.keys.pkcs11 === undefined ? undefined : await openToken(configuration.keys.pkcs11, options)
  const wherever = token === undefined ? opened.keys : token.split(opened.keys)
  const keys = firstStart ? repeatable(wherever) : wherever
  if (firstStart) await step('first-start-4-blobs')
  const blobs = await openBlobs(options, firstStart)
  if (firstStart) await step('first-start-5-database')
  const database = await openDatabase(options, firstStart)
  try {
    await migrate(database, migrations, { mustExist: !firstStart })
    await (firstStart ? recordInstallation : demandInstallation)(database, installation)
  } catch (failure) {
    await database.close()
    throw failure
  }
  const audit = databaseAudit(database, clock, { key: await (firstStart ? keys.create('audit', 'ed25519') : keys.open('audit')) })
  // With SQLite the folder is locked for one process: after a crash there is no holder to wait for.
  const leases = database.kind === 'sqlite' ? soleLeases(clock) : databaseLeases(database, clock, randomUUID())
  const close = async (): Promise<void> => {
    await database.close()
    await token?.close()
    lock?.release()
  }
  const secretOf = (reference: SecretReference): Promise<Uint8Array> => resolveSecret(reference, access)
  const { environment } = access
  const state = { environment, database, blobs, keys, secrets: opened.secrets, leases, audit }
  const told = options.step === undefined ? {} : { step: options.step }
  return { data, configuration, installation, ...state, clock, log, secretOf, ...told, firstStart, close }
}

/** The module is loaded where there is a token alone, and by a process of its own. */
async function openToken(
  { module, token, pin, sessions, roles }: TokenChoice,
  { access, log }: PlatformOptions,
): Promise<{ readonly split: (files: KeyStore) => KeyStore; readonly close: () => Promise<void> }> {
  const { pkcs11KeyStore, splitKeyStore } = await import('../base/keys/pkcs11-keys.ts')
  const { keys, close } = pkcs11KeyStore({
    module,
    token,
    sessions,
    pin: async () => fromUtf8(await resolveSecret(pin, access)).trim(),
    failed: (failure) => log.error({ err: failure }, 'signer process ended'),
  })
  return { split: (files) => splitKeyStore(files, keys, roles), close }
}

/** A first start that was interrupted after it made a key goes on with that key. */
function repeatable(keys: KeyStore): KeyStore {
  return { ...keys, create: async (name, type) => ((await keys.names()).includes(name) ? keys.open(name) : keys.create(name, type)) }
}

function partsOf({ database, blobs }: Configuration): readonly string[] {
  return ['keys', ...(database.kind === 'sqlite' ? ['database.sqlite'] : []), ...(blobs.kind === 'files' ? ['blobs'] : [])]
}

async function openDatabase({ data, configuration: { database }, access }: PlatformOptions, create: boolean): Promise<Database> {
  if (database.kind === 'sqlite') return openSqlite(join(data, 'database.sqlite'), { create })
  const { url, password, ca, plaintext_UNSAFE: reason, connections } = database
  return openPostgres({
    url: fromUtf8(await resolveSecret(url, access)),
    connections,
    ...(password === undefined ? {} : { password: async () => fromUtf8(await resolveSecret(password, access)) }),
    ...(ca === undefined ? {} : { ca: fromUtf8(await resolveSecret({ kind: 'file', name: ca }, access)) }),
    ...(reason === undefined ? {} : { plaintext_UNSAFE: { reason } }),
  })
}

async function openBlobs(options: PlatformOptions, create: boolean): Promise<BlobStore> {
  const { data, configuration, access, lock, step: told } = options
  const { blobs } = configuration
  if (blobs.kind === 'files') {
    const folder = join(data, 'blobs')
    if (create) await makeFolder(folder)
    const step = told === undefined ? {} : { step: (name: string, blob: string) => told(`blob ${name} ${blob}`) }
    return fileBlobs(folder, { beside: lock === 'none' || configuration.database.kind === 'postgres', ...step })
  }
  const { endpoint, region, prefix } = blobs
  const [accessKeyId, secretAccessKey] = [
    await resolveSecret(blobs.accessKeyId, access),
    await resolveSecret(blobs.secretAccessKey, access),
  ]
  return s3Blobs({ endpoint, region, prefix, accessKeyId: fromUtf8(accessKeyId), secretAccessKey: fromUtf8(secretAccessKey) })
}

/** SQLite has one server; a database server has any number, which share the folder. */
function modeOf({ lock, configuration }: PlatformOptions): LockMode {
  return lock === 'serve' && configuration.database.kind === 'postgres' ? 'together' : 'alone'
}

function newInstallation({ first, clock }: PlatformOptions): Installation {
  const { publicUrl, listen } = first as Pick<Installation, 'publicUrl' | 'listen'>
  return { id: randomBytes(16).toString('hex'), createdAt: clock(), publicUrl, listen }
}

/** Issuers, origins and addresses in clients' trust come from the URL: another one would make a stranger of this installation. */
function demandSameUrl(data: string, installation: Installation, publicUrl: string): void {
  if (publicUrl === installation.publicUrl) return
  throw new CountersignError(
    'config_malformed',
    `the public URL of the installation in ${data} is ${installation.publicUrl}, and stays so`,
    {
      expected: installation.publicUrl,
      found: publicUrl,
      hint: 'Leave --public-url and publicUrl out, or use another data folder for an installation under another URL.',
    },
  )
}

function noInstallation(data: string, { firstStart }: Configuration): CountersignError {
  return new CountersignError('data_folder_missing', `there is no installation in ${data}`, {
    hint: firstStart
      ? `Name its folder with --data, or make one: countersign serve --data ${data}`
      : 'A first start is forbidden here: restore the folder, or allow it.',
  })
}
