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
import { rekor2Service } from '../log/rekor2/service.ts'
import { digestVerifier } from '../log/verify/verifier.ts'
import type { ServiceAddresses } from './addresses.ts'
import type { ServerPlatform } from './platform.ts'

type Place = Pick<TreeLogOptions, 'name' | 'origin' | 'sign' | 'format' | 'leafIndex'>

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

/** `/rekor2`. `chains` are those of the own authority, DER, the issuing certificate first. */
export async function composeRekor2(
  platform: ServerPlatform,
  key: RoleKey,
  addresses: ServiceAddresses,
  chains: () => Promise<readonly (readonly Uint8Array[])[]>,
): Promise<Service> {
  const log = await openLog(platform, await rekor2Place(key, addresses))
  const verifier = digestVerifier()
  const logId = await noteKeyId(serverPrimitives, addresses.host, key.publicKey)
  const service = rekor2Service({ log, logId, verifier, admit: await admission(platform, chains) })
  return {
    ...service,
    close: async () => {
      await log.close()
      await verifier.close()
    },
  }
}

function openLog(platform: ServerPlatform, place: Place): Promise<OpenTreeLog> {
  const { database, blobs, leases, clock, log } = platform
  const failed = (failure: unknown): void => log.error({ err: failure, log: place.name }, 'log failed')
  return openTreeLog({ ...place, database, blobs, leases, clock, failed })
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
