/** Makes authorities: a root, intermediates below it, and intermediates that a root elsewhere signs. Used by the first start and the command line. */
import { CountersignError } from '@countersign/core/failure'
import { encodePem } from '@countersign/core/pem'
import { buildCertificate, type CertificateFields } from '@countersign/core/x509/build'
import { intermediateFields, rootFields, type AuthorityIssuer, type AuthorityWish } from '@countersign/core/x509/build-authority'
import { encodeName } from '@countersign/core/x509/build-name'
import { parseCertificate } from '@countersign/core/x509/certificate'
import { buildCertificateRequest, parseCertificateRequest, verifyCertificateRequest } from '@countersign/core/x509/certificate-request'
import { serialBytes, serialNumber } from '@countersign/core/x509/serial'
import { equalBytes } from '@countersign/core/bytes'
import type { Clock } from '../../base/clock.ts'
import { serverPrimitives } from '../../base/crypto/primitives.ts'
import type { KeyStore, RoleKey } from '../../base/keys/role-key.ts'
import { checkChain, chainPem, readChain } from './chain.ts'
import type { AuthorityTable } from './tables.ts'

/** Where authorities are made. */
export type AuthorityWorkshop = {
  readonly table: AuthorityTable
  readonly keys: KeyStore
  readonly now: Clock
  /** Fresh random bytes. */
  readonly random: (length: number) => Uint8Array
  /** Name of the organization in the certificates. */
  readonly organization: string
}

const rootName = 'ca-root'
const yearMs = 365.25 * 86_400_000
const rootYears = 20
const intermediateYears = 5
/** Clocks of clients may be behind. */
const backdatedMs = 5 * 60_000

/**
 * Makes the root, a P-384 key and its self-signed certificate; gives the chain, PEM. Throws `key_exists` when there is one on record. A key without a
 * record is what a crash between the two left, and is taken.
 */
export async function createRoot(workshop: AuthorityWorkshop): Promise<string> {
  const { keys, table } = workshop
  if ((await table.list()).some(({ role }) => role === 'root')) throw new CountersignError('key_exists', 'there is a root already')
  const key = (await keys.names()).includes(rootName) ? await keys.open(rootName) : await keys.create(rootName, 'ec-p384')
  const wish = wishOf(workshop, key, `${workshop.organization} Root`, rootYears)
  const certificate = await buildCertificate(await rootFields(serverPrimitives, wish), key)
  const chain = chainPem([certificate])
  await table.add({ name: key.name, role: 'root', status: 'active', chain })
  return chain
}

/**
 * Makes an intermediate below the root, on standby: it issues after `activate`. `rootKey` is the key of the root, from the key store or from wherever
 * it is kept. Throws `authority_missing` without a root, `key_mismatch` for another key.
 */
export async function createIntermediate(
  workshop: AuthorityWorkshop,
  rootKey: RoleKey,
): Promise<{ readonly name: string; readonly chain: string }> {
  const root = await rootCertificate(workshop)
  demandKeyOf(root, rootKey)
  const key = await nextKey(workshop)
  const fields = await fieldsUnder(wishOf(workshop, key, `${workshop.organization} Intermediate`, intermediateYears), root)
  const chain = chainPem([await buildCertificate(fields, rootKey), root])
  await workshop.table.add({ name: key.name, role: 'intermediate', status: 'standby', chain })
  return { name: key.name, chain }
}

/** Makes the key of an intermediate that a root elsewhere shall sign; gives the certification request, PEM. */
export async function requestIntermediate(workshop: AuthorityWorkshop): Promise<{ readonly name: string; readonly request: string }> {
  const key = await nextKey(workshop)
  const subject = encodeName({ organization: workshop.organization, commonName: `${workshop.organization} Intermediate` })
  const request = await buildCertificateRequest(subject, key.publicKey, key)
  await workshop.table.add({ name: key.name, role: 'intermediate', status: 'pending', chain: '' })
  return { name: key.name, request: encodePem('CERTIFICATE REQUEST', request) }
}

/** A root away from any installation: its certificate, DER, and its key. */
export type RootElsewhere = { readonly certificate: Uint8Array; readonly key: RoleKey }

/**
 * Signs the intermediate that an installation asked for (PKCS #10, DER), where the root is kept; gives the chain, PEM, checked as the installation
 * will. The name is that of the request: who holds the root compares it. Throws `certificate_request_malformed` for one that its key did not sign,
 * `key_mismatch` when key and certificate of the root do not belong together, and what the check of the chain throws.
 */
export async function signRequested(
  { certificate, key }: RootElsewhere,
  der: Uint8Array,
  { now, random }: Pick<AuthorityWorkshop, 'now' | 'random'>,
): Promise<string> {
  const request = parseCertificateRequest(der)
  if (!(await verifyCertificateRequest(serverPrimitives, request)))
    throw new CountersignError('certificate_request_malformed', 'the request is not signed by the key in it')
  demandKeyOf(certificate, key)
  const notBeforeMs = now() - backdatedMs
  const wish = {
    serial: serialNumber(random(serialBytes)),
    subject: request.subject.raw,
    key: request.key,
    notBeforeMs,
    notAfterMs: notBeforeMs + Math.round(intermediateYears * yearMs),
  }
  const chain = [await buildCertificate(await fieldsUnder(wish, certificate), key), certificate]
  await checkChain(chain, request.key, now())
  return chainPem(chain)
}

/**
 * Takes the certificate that a root elsewhere signed, with its chain up to that root, PEM. Throws `authority_missing` when nothing was asked for
 * under the name, `certificate_unsuitable` or `certificate_untrusted` for a chain that no client would accept.
 */
export async function importIntermediate(workshop: AuthorityWorkshop, name: string, pem: string): Promise<void> {
  const row = (await workshop.table.list()).find((each) => each.name === name && each.status === 'pending')
  if (row === undefined) throw new CountersignError('authority_missing', `no certificate was asked for under the name ${name}`)
  const chain = readChain(pem)
  const key = await workshop.keys.open(name)
  await checkChain(chain, key.publicKey, workshop.now())
  await workshop.table.complete(name, chainPem(chain))
}

/** The certificate of the root on record, DER. Throws `authority_missing`. */
export async function rootCertificate(workshop: Pick<AuthorityWorkshop, 'table'>): Promise<Uint8Array> {
  const row = (await workshop.table.list()).find(({ role }) => role === 'root')
  const [root] = row === undefined ? [] : readChain(row.chain)
  if (root === undefined)
    throw new CountersignError('authority_missing', 'there is no root on record', { hint: 'Make one with countersign ca init.' })
  return root
}

function demandKeyOf(root: Uint8Array, key: RoleKey): void {
  if (equalBytes(parseCertificate(root).spki, key.publicKey.spki)) return
  throw new CountersignError('key_mismatch', 'the key that shall sign the intermediate is not that of the certificate of the root')
}

/** No intermediate outlives its root. */
async function fieldsUnder(wish: AuthorityWish, root: Uint8Array): Promise<CertificateFields> {
  const { subject, subjectKeyId, notAfterMs } = parseCertificate(root)
  if (subjectKeyId === undefined) throw new CountersignError('authority_damaged', 'the root on record has no key identifier')
  const issuer: AuthorityIssuer = { name: subject.raw, keyId: subjectKeyId }
  return intermediateFields(serverPrimitives, { ...wish, notAfterMs: Math.min(wish.notAfterMs, notAfterMs) }, issuer)
}

/** Numbers are never used twice: a retired key keeps its name. */
async function nextKey({ keys, table }: AuthorityWorkshop): Promise<RoleKey> {
  const names = [...(await keys.names()), ...(await table.list()).map(({ name }) => name)]
  const numbers = names.map((name) => Number(/^ca-intermediate-([1-9][0-9]{0,5})$/.exec(name)?.[1] ?? 0))
  return keys.create(`ca-intermediate-${Math.max(0, ...numbers) + 1}`, 'ec-p256')
}

function wishOf({ organization, random, now }: AuthorityWorkshop, key: RoleKey, commonName: string, years: number): AuthorityWish {
  const notBeforeMs = now() - backdatedMs
  return {
    serial: serialNumber(random(serialBytes)),
    subject: encodeName({ organization, commonName }),
    key: key.publicKey,
    notBeforeMs,
    notAfterMs: notBeforeMs + Math.round(years * yearMs),
  }
}
