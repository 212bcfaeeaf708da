/** The root of the certificate authority where it belongs: taken out, removed; and intermediates that a root elsewhere signs. */
import { randomBytes } from 'node:crypto'
import { bytesToHex } from '@countersign/core/bytes'
import { CountersignError } from '@countersign/core/failure'
import { decodePem, encodePem } from '@countersign/core/pem'
import { parseCertificateRequest } from '@countersign/core/x509/certificate-request'
import type { Clock } from '../base/clock.ts'
import { hashBytes } from '../base/crypto/primitives.ts'
import type { RoleKey } from '../base/keys/role-key.ts'
import { readChain } from '../ca/authority/chain.ts'
import {
  type AuthorityWorkshop,
  createRoot,
  importIntermediate,
  requestIntermediate,
  rootCertificate,
  signRequested,
} from '../ca/authority/create.ts'
import { authorityTable } from '../ca/authority/tables.ts'
import { openTrust, type TrustChange } from '../trust/trust.ts'
import type { Operator } from './accounts.ts'
import type { OpenInstallation } from './administer.ts'

const rootName = 'ca-root'

/** Makes a root where there is none on record. Throws `key_exists`: a root is never replaced, its successor is another authority. */
export async function initRoot(installation: OpenInstallation, operator: Operator): Promise<string> {
  const chain = await createRoot(workshopOf(installation))
  await record(installation, operator, 'ca.root_created', rootName)
  return chain
}

/** The private key of the root, PKCS#8 DER, and its certificate, PEM. Throws `key_missing` when it is elsewhere already. */
export async function exportRoot(
  installation: OpenInstallation,
  operator: Operator,
): Promise<{ readonly pkcs8: Uint8Array; readonly certificate: string }> {
  const certificate = encodePem('CERTIFICATE', await rootCertificate(workshopOf(installation)))
  const pkcs8 = await installation.platform.keys.exportPrivateKey(rootName)
  await record(installation, operator, 'ca.root_exported', rootName)
  return { pkcs8, certificate }
}

/** Removes the private key of the root from this installation. Throws `key_missing`, and `authority_missing` while no intermediate issues. */
export async function removeRoot(installation: OpenInstallation, operator: Operator): Promise<void> {
  const { database, keys, clock } = installation.platform
  const rows = await authorityTable(database, clock).list()
  if (!rows.some(({ role, status }) => role === 'intermediate' && status === 'active')) {
    throw new CountersignError('authority_missing', 'no intermediate is active: without the root none could be made')
  }
  await keys.remove(rootName)
  await record(installation, operator, 'ca.root_removed', rootName)
}

/** Makes the key of an intermediate; gives the certification request for the root elsewhere, PEM. */
export async function requestCertificate(
  installation: OpenInstallation,
  operator: Operator,
): Promise<{ readonly name: string; readonly request: string }> {
  const made = await requestIntermediate(workshopOf(installation))
  await record(installation, operator, 'ca.certificate_requested', made.name)
  return made
}

/** Takes the certificate that came back, with its chain, PEM, and has clients trust it. It issues after `activateIntermediate`. */
export async function importCertificate(
  installation: OpenInstallation,
  name: string,
  pem: string,
  operator: Operator,
): Promise<TrustChange> {
  const { database, keys, clock } = installation.platform
  await importIntermediate(workshopOf(installation), name, pem)
  const change = await openTrust({ database, keys, clock }).add({
    id: name,
    role: 'ca',
    url: installation.addresses.fulcio,
    operator: installation.addresses.host,
    anchor: { kind: 'chain', certificates: readChain(pem) },
    validFor: { start: Math.floor(clock() / 1000) * 1000 },
  })
  await record(installation, operator, 'ca.certificate_imported', name)
  return change
}

/**
 * Where the root is kept, without any installation: signs the intermediate that `requestCertificate` asked for elsewhere; gives the chain, and who
 * asked. All are PEM. Throws `pem_malformed`, and what `signRequested` throws.
 */
export async function signRequest(
  root: { readonly certificate: string; readonly key: RoleKey },
  request: string,
  clock: Clock,
): Promise<{ readonly chain: string; readonly name: string; readonly keySha256: string }> {
  const [certificate] = readChain(root.certificate)
  const [asked] = decodePem(request, 'CERTIFICATE REQUEST').map(({ bytes }) => bytes)
  if (certificate === undefined || asked === undefined)
    throw new CountersignError('pem_malformed', 'no certificate of a root, or no request, in the files')
  const chain = await signRequested({ certificate, key: root.key }, asked, { now: clock, random })
  const { subject, key } = parseCertificateRequest(asked)
  return { chain, name: subject.text, keySha256: bytesToHex(hashBytes('sha256', key.spki)) }
}

const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

function workshopOf({ platform: { database, keys, clock }, addresses }: OpenInstallation): AuthorityWorkshop {
  return { table: authorityTable(database, clock), keys, now: clock, random, organization: addresses.host }
}

async function record({ platform }: OpenInstallation, { name }: Operator, action: string, subject: string): Promise<void> {
  await platform.audit.record({ action, subject, actor: `operator ${name}`, from: 'local', outcome: 'done', detail: {} })
}
