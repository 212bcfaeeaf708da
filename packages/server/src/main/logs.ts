/** The logs of a process: their keys, their trees, who may write. */
import { equalBytes, fromUtf8 } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { parsePublicKey, parsePublicKeyPem } from '@countersign/core/keys/public-key'
import { noteKeyId } from '@countersign/core/note/key-id'
import { logNoteSigner, signCheckpoint } from '@countersign/core/note/sign'
import type { ProposedEntry } from '@countersign/core/rekor/entry'
import { signatureAlgorithmOf } from '@countersign/core/x509/algorithm-identifier'
import { type Certificate, parseCertificate } from '@countersign/core/x509/certificate'
import { serverPrimitives } from '../base/crypto/primitives.ts'
import { readFileIfThere } from '../base/data-folder/durable-file.ts'
import { isLoopback, parseListenAddress } from '../base/http/address.ts'
import type { Service } from '../base/http/service.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import { ctLog, type CtLog } from '../log/ct/ct-log.ts'
import { ctService } from '../log/ct/routes.ts'
import { ctOrigin, ctTreeOptions } from '../log/ct/tree.ts'
import { createTreeLog, type OpenTreeLog, openTreeLog, type TreeLogOptions } from '../log/engine/open-log.ts'
import { admitAnyone, admitOwn, type Admission } from '../log/rekor2/admission.ts'
import { createRekor1Log, openRekor1Log, type Rekor1LogOptions } from '../log/rekor1/keeper.ts'
import { type EntrySearch, rekor1Service } from '../log/rekor1/service.ts'
import { rekor2Service } from '../log/rekor2/service.ts'
import { searchIndex } from '../log/search/index-logs.ts'
import { type DigestVerifier, digestVerifier } from '../log/verify/verifier.ts'
import type { ServiceAddresses } from './addresses.ts'
import type { ServerPlatform } from './platform.ts'
import { witnessesOf } from './witnesses.ts'

type Place = Pick<TreeLogOptions, 'name' | 'origin' | 'sign' | 'cosign' | 'format' | 'leafIndex'>

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
  const signer = await logNoteSigner(serverPrimitives, addresses.host, key.publicKey, key.sign)
  return { name: key.name, origin: addresses.host, sign: (head) => signCheckpoint(head, [signer]) }
}

/** The certificate transparency log of a key. */
export function ctPlace(key: RoleKey, addresses: ServiceAddresses): Place {
  return { name: key.name, origin: ctOrigin(addresses.ct), ...ctTreeOptions(key) }
}

/** An open certificate transparency log. */
export type OpenCtLog = { readonly tree: OpenTreeLog; readonly log: CtLog }

/** Opens the certificate transparency log. Throws `log_missing`. */
export async function openCtLog(platform: ServerPlatform, key: RoleKey, addresses: ServiceAddresses): Promise<OpenCtLog> {
  const tree = await openLog(platform, ctPlace(key, addresses))
  return { tree, log: ctLog({ tree, key, blobs: platform.blobs, now: platform.clock }) }
}

/** `/ct`, where the log is read. */
export function composeCt({ tree, log }: OpenCtLog, roots: () => Promise<readonly Uint8Array[]>): Service {
  return { ...ctService({ tree, log, roots }), close: tree.close }
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

/** The keys of both logs. */
export type LogKeys = { readonly rekor1: RoleKey; readonly rekor2: RoleKey }

/** `/rekor` and `/rekor2`, and the search over both. `chains` are those of the own authority, DER, the issuing certificate first. */
export async function composeLogs(
  platform: ServerPlatform,
  keys: LogKeys,
  addresses: ServiceAddresses,
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
): Promise<readonly Service[]> {
  const verifier = digestVerifier()
  const admit = await admission(platform, chains)
  const cosign = await witnessesOf(platform)
  const log = await openLog(platform, { ...(await rekor2Place(keys.rekor2, addresses)), ...(cosign === undefined ? {} : { cosign }) })
  const shard = await openRekor1Log(rekor1Options(platform, keys.rekor1, addresses))
  const index = searchIndex(platform.database, [
    { name: shard.treeId, log: shard.log },
    { name: keys.rekor2.name, log },
  ])
  const search: EntrySearch = {
    find: async (wanted, operator) => (await index.find(wanted, operator)).map(({ log: treeId, leafHash }) => ({ treeId, leafHash })),
    remember: index.remember,
  }
  const logId = await noteKeyId(serverPrimitives, addresses.host, keys.rekor2.publicKey)
  return [
    closing(rekor2Service({ log, logId, verifier, admit }), log, verifier),
    closing(rekor1Service({ shards: [shard], verifier, admit, search }), shard.log),
  ]
}

function closing(service: Service, log: OpenTreeLog, verifier?: DigestVerifier): Service {
  return {
    ...service,
    close: async () => {
      await log.close()
      await verifier?.close()
    },
  }
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
  { configuration, installation }: ServerPlatform,
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
): Promise<Admission> {
  const listen = configuration.listen ?? parseListenAddress(installation.listen)
  const reached = new URL(installation.publicUrl).hostname.replace(/^\[|\]$/g, '')
  const local = listen !== undefined && isLoopback(listen.host) && isLoopback(reached)
  if ((configuration.log.admission ?? (local ? 'anyone' : 'known')) === 'anyone') return admitAnyone
  const known = await Promise.all(configuration.log.knownKeys.map(readKnownKey))
  return admitOwn(async (entry) => isOurs(entry, await chains()), known)
}

async function readKnownKey(path: string): Promise<Uint8Array> {
  const bytes = await readFileIfThere(path)
  if (bytes === undefined)
    throw new CountersignError('file_not_found', `there is no file ${path}`, { hint: 'It is named under log.knownKeys.' })
  return parsePublicKeyPem(fromUtf8(bytes)).spki
}

/** Signed by an authority of ours, whichever of them: what one of them issued stays welcome after it was replaced. */
async function isOurs({ signer }: ProposedEntry, chains: readonly (readonly Uint8Array[])[]): Promise<boolean> {
  if (signer.kind !== 'certificate') return false
  for (const [issuer] of chains) if (issuer !== undefined && (await isIssuedBy(signer.certificate, parseCertificate(issuer)))) return true
  return false
}

async function isIssuedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
  if (!equalBytes(certificate.issuer.raw, issuer.subject.raw)) return false
  const key = parsePublicKey(issuer.spki)
  const algorithm = signatureAlgorithmOf(certificate.signatureAlgorithm, key)
  return algorithm !== undefined && serverPrimitives.verify(algorithm, key, certificate.tbs, certificate.signature)
}
