/** The logs of a process: their keys, their trees, who may write. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { formatVerifierKey, verifierKey as verifierKeyOf } from '@countersign/core/note/verifier-key'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import { readFileIfThere } from '../base/data-folder/durable-file.ts'
import { hostOf, isLoopback, parseListenAddress } from '../base/http/address.ts'
import type { Service } from '../base/http/service.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import { ctLog, type CtLog } from '../log/ct/ct-log.ts'
import { ctService } from '../log/ct/service.ts'
import { ctOrigin, ctTreeOptions } from '../log/ct/tree.ts'
import { readTree } from '../log/engine/tree-store.ts'
import { createTreeLog, type OpenTreeLog, openTreeLog, type TreeLogOptions } from '../log/engine/open-log.ts'
import { admitAnyone, admitOwn, type Admission } from '../log/admission.ts'
import { issuedByOurs, ofOwnAuthority } from '../log/own-authority.ts'
import { createRekor1Log, openRekor1Log, type Rekor1LogOptions } from '../log/rekor1/keeper.ts'
import { type EntrySearch, rekor1Service } from '../log/rekor1/service.ts'
import type { Shards } from '../log/rekor1/lookup.ts'
import { type Rekor2Shard, rekor2Service } from '../log/rekor2/service.ts'
import { rekor2LogId, rekor2TreeOptions } from '../log/rekor2/tree.ts'
import { indexInBackground } from '../log/search/background.ts'
import type { ReadLog } from '../log/search/find.ts'
import { type SearchedLog, searchIndex } from '../log/search/index-logs.ts'
import { searchService } from '../log/search/service.ts'
import { shardService } from '../log/shard-service.ts'
import { digestVerifier } from '../log/verify/verifier.ts'
import type { Trust } from '../trust/trust.ts'
import type { ServiceAddresses } from './addresses.ts'
import type { ServerPlatform } from './platform.ts'
import { type Live, liveInstances } from './shards.ts'
import { witnessesOf } from './witnesses.ts'

type Place = Pick<TreeLogOptions, 'name' | 'origin' | 'sign' | 'cosign' | 'format'>

/** Makes a log where there is none yet; for the first start alone. */
export async function createLog(platform: ServerPlatform, place: Place): Promise<void> {
  try {
    await createTreeLog({ ...place, database: platform.database, clock: platform.clock })
  } catch (cause) {
    // An interrupted first start had come so far.
    if (!(cause instanceof CountersignError) || cause.code !== 'log_exists') throw cause
  }
}

/** The Rekor v2 log of a key. */
export async function rekor2Place(key: RoleKey, addresses: ServiceAddresses): Promise<Place> {
  return { name: key.name, ...(await rekor2TreeOptions(key, addresses.host)) }
}

/** The certificate transparency log of a key. */
export function ctPlace(key: RoleKey, addresses: ServiceAddresses): Place {
  return { name: key.name, origin: ctOrigin(addresses.ct), ...ctTreeOptions(key) }
}

/** An open certificate transparency log. */
export type OpenCtLog = { readonly name: string; readonly tree: OpenTreeLog; readonly log: CtLog }

/** Opens the certificate transparency logs. Throws `log_missing`. */
export function openCtLogs(platform: ServerPlatform, trust: Trust, addresses: ServiceAddresses): Promise<Live<OpenCtLog>> {
  return liveInstances({
    platform,
    trust,
    role: 'ct',
    clock: platform.clock,
    open: async ({ id }) => {
      const key = await platform.keys.open(id)
      const tree = await openLog(platform, ctPlace(key, addresses))
      return { name: id, tree, log: ctLog({ tree, key, blobs: platform.blobs, now: platform.clock }) }
    },
    leave: async ({ tree }) => freeze(tree),
  })
}

/** `/ct`, where the log that takes certificates is read. */
export function composeCt(logs: Live<OpenCtLog>, roots: () => Promise<readonly Uint8Array[]>): readonly Service[] {
  const tree: Parameters<typeof ctService>[0]['tree'] = {
    checkpoint: () => logs.active().tree.checkpoint(),
    file: (path) => logs.active().tree.file(path),
    failure: () => logs.active().tree.failure(),
  }
  const log = { issuer: (fingerprint: string) => logs.active().log.issuer(fingerprint) }
  const service = { ...ctService({ tree, log, roots }), close: async () => closeAll(logs, ({ tree: open }) => open) }
  return [service, shardService('/ct', () => logs.all.map(({ name, tree: open }) => ({ name, log: open })))]
}

/** Where certificates are published: in the log that takes them now. */
export function certificateLogOf(logs: Live<OpenCtLog>): Pick<CtLog, 'publish'> {
  return { publish: (precertificate) => logs.active().log.publish(precertificate) }
}

async function freeze(log: OpenTreeLog): Promise<void> {
  if (!(await log.frozen())) await log.freeze()
}

async function closeAll<T>(live: Live<T>, logOf: (instance: T) => OpenTreeLog): Promise<void> {
  await live.close()
  await Promise.all(live.all.map((instance) => logOf(instance).close()))
}

/** The Rekor v1 log of a key. */
export async function createRekor1(platform: ServerPlatform, key: RoleKey, addresses: ServiceAddresses): Promise<void> {
  try {
    await createRekor1Log(rekor1Options(platform, key, addresses))
  } catch (cause) {
    // An interrupted first start had come so far.
    if (!(cause instanceof CountersignError) || cause.code !== 'log_exists') throw cause
  }
}

function rekor1Options(platform: ServerPlatform, key: RoleKey, { host }: ServiceAddresses): Rekor1LogOptions {
  return { ...storageOf(platform, key.name), name: key.name, host, key }
}

/** `/rekor` and `/rekor2`, and the search over both. `chains` are those of the own authority, DER, the issuing certificate first. */
export async function composeLogs(
  platform: ServerPlatform,
  trust: Trust,
  addresses: ServiceAddresses,
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
): Promise<readonly Service[]> {
  const verifier = digestVerifier()
  const admit = await admission(platform, chains)
  const rekor2 = await openRekor2Logs(platform, trust, addresses)
  const rekor1 = await openRekor1Logs(platform, trust, addresses)
  const searched = (): readonly (SearchedLog & ReadLog)[] => [
    ...rekor1.all.map(({ treeId, firstIndex, log }) => ({ name: treeId, log, entry: log.entry, shard: { treeId, firstIndex } })),
    ...rekor2.all.map(({ name, log }) => ({ name, log, entry: log.entry })),
  ]
  const ours = issuedByOurs(chains)
  const index = searchIndex(platform.database, searched, ours)
  const search: EntrySearch = {
    find: async (wanted, operator) => (await index.find(wanted, operator)).map(({ log: treeId, leafHash }) => ({ treeId, leafHash })),
    remember: index.remember,
  }
  const endIndexing = indexInBackground({
    index,
    // Where another process sequences, that one reads most of it.
    busy: () => rekor2.active().log.outstanding() > 0 || !rekor2.active().log.sequencing(),
    failed: (err) => platform.log.warn({ err }, 'search index'),
  })
  const closing = (service: Service, close: () => Promise<void>): Service => ({ ...service, close })
  return [
    closing(rekor2Service({ shard: rekor2.active, verifier, admit }), async () => {
      await closeAll(rekor2, ({ log }) => log)
      await verifier.close()
    }),
    // The list grows by the shards of rotations while the service runs.
    closing(rekor1Service({ shards: rekor1.all as OpenShards, verifier, admit, search }), async () => closeAll(rekor1, ({ log }) => log)),
    shardService('/rekor2', () => rekor2.all),
    closing(searchService({ index, log: (name) => searched().find((one) => one.name === name), issuedByOurs: ours }), endIndexing),
  ]
}

type OpenRekor2 = Rekor2Shard & { readonly name: string; readonly log: OpenTreeLog }
type OpenRekor1 = Shards[number] & { readonly log: OpenTreeLog }
type OpenShards = readonly [...OpenRekor1[], OpenRekor1]

async function openRekor2Logs(platform: ServerPlatform, trust: Trust, addresses: ServiceAddresses): Promise<Live<OpenRekor2>> {
  return liveInstances<OpenRekor2>({
    platform,
    trust,
    role: 'rekor2',
    clock: platform.clock,
    open: async ({ id }) => {
      const key = await platform.keys.open(id)
      // Each log has its own, which remembers how far witnesses have seen it.
      const cosign = await witnessesOf(platform)
      const log = await openLog(platform, { ...(await rekor2Place(key, addresses)), ...(cosign === undefined ? {} : { cosign }) })
      const verifierKey = formatVerifierKey(await verifierKeyOf(serverPrimitives, 'log', addresses.host, key.publicKey))
      return { name: id, log, logId: await rekor2LogId(key, addresses.host), verifierKey }
    },
    leave: async ({ log }) => freeze(log),
  })
}

function openRekor1Logs(platform: ServerPlatform, trust: Trust, addresses: ServiceAddresses): Promise<Live<OpenRekor1>> {
  return liveInstances<OpenRekor1>({
    platform,
    trust,
    role: 'rekor1',
    clock: platform.clock,
    open: async ({ id }, before) => {
      const last = before.at(-1)
      // Indices go on after those of the shard before, which takes no more from here on: else two entries would have one.
      const firstIndex = last === undefined ? 0 : last.firstIndex + (await finalSize(platform, last))
      const shard = await openRekor1Log(rekor1Options(platform, await platform.keys.open(id), addresses), firstIndex)
      return { ...shard, log: { ...shard.log, add: (entry) => shard.log.add(entry).catch(tryTheNext) } }
    },
  })
}

/** Freezes a shard; its size when all that was decided is published. Throws `log_unavailable` when that does not come to pass. */
async function finalSize({ database }: ServerPlatform, { key, log }: OpenRekor1): Promise<number> {
  await freeze(log)
  for (let attempt = 0; attempt < 100; attempt++) {
    const { head, published } = await readTree(database, key.name)
    if (head.size === published.size) return published.size
    await sleep(100)
  }
  throw new CountersignError('log_unavailable', `the last entries of ${key.name} are not published`)
}

/** Who asks in the moment between two shards asks again, and meets the next. A log that is frozen for good says so under its own key. */
function tryTheNext(failure: unknown): never {
  if (!(failure instanceof CountersignError) || failure.code !== 'log_frozen') throw failure
  throw new CountersignError('log_unavailable', 'the log takes no entries now', { cause: failure, hint: 'Try again in a few seconds.' })
}

function openLog(platform: ServerPlatform, place: Place): Promise<OpenTreeLog> {
  return openTreeLog({ ...storageOf(platform, place.name), ...place })
}

type Storage = Pick<TreeLogOptions, 'database' | 'blobs' | 'leases' | 'clock' | 'failed' | 'step'>

/** What a log stands on, and who is told of its failures and steps. */
function storageOf({ database, blobs, leases, clock, log, step }: ServerPlatform, name: string): Storage {
  const failed = (failure: unknown): void => log.error({ err: failure, log: name }, 'log failed')
  const told = step === undefined ? {} : { step: (where: string) => step(`${name} ${where}`) }
  return { database, blobs, leases, clock, failed, ...told }
}

/** Anyone may write where only this machine reaches the log; elsewhere holders of our certificates and of known keys. */
async function admission(
  { configuration, installation, clock }: ServerPlatform,
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
): Promise<Admission> {
  const listen = configuration.listen ?? parseListenAddress(installation.listen)
  const reached = hostOf(new URL(installation.publicUrl))
  const local = listen !== undefined && isLoopback(listen.host) && isLoopback(reached)
  if ((configuration.log.admission ?? (local ? 'anyone' : 'known')) === 'anyone') return admitAnyone
  const known = await readKnownKeys(configuration.log.knownKeys)
  return admitOwn(ofOwnAuthority(chains, clock), known)
}

/** Reads the keys that are admitted. Throws `file_not_found`, `key_malformed`. */
export function readKnownKeys(paths: readonly string[]): Promise<readonly Uint8Array[]> {
  return Promise.all(paths.map(readKnownKey))
}

async function readKnownKey(path: string): Promise<Uint8Array> {
  const bytes = await readFileIfThere(path)
  if (bytes === undefined)
    throw new CountersignError('file_not_found', `there is no file ${path}`, { hint: 'It is named under log.knownKeys.' })
  return parsePublicKeyPem(fromUtf8(bytes)).spki
}
