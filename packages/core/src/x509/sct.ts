/** Signed certificate timestamps inside a certificate: proof that a CT log promised to publish it (RFC 6962 §3.2, §3.3). */
import { bytesToBase64 } from '../base64.ts'
import { concatBytes, equalBytes } from '../bytes.ts'
import { isContext, parseDer, readExplicit, readOctetString, readOid, readSequence, withDerCode } from '../der/reader.ts'
import { derExplicit, derSequence } from '../der/writer.ts'
import type { HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import type { SignatureScheme } from '../keys/algorithm.ts'
import type { Primitives } from '../primitives.ts'
import { tlsReader, tlsUint } from '../tls-encoding.ts'
import type { LogInstance } from '../trust/model.ts'
import { algorithmOfScheme } from './algorithm-identifier.ts'
import type { Certificate } from './certificate.ts'
import { extensionOid } from './oids.ts'

/** One signed certificate timestamp, version 1 of RFC 6962 (written 0), unverified. */
export type SignedCertificateTimestamp = {
  /** SHA-256 of the log's SPKI, 32 bytes. */
  readonly logId: Uint8Array
  /** Unix milliseconds. */
  readonly timestampMs: number
  /** CtExtensions; a static CT log puts the leaf index here. */
  readonly extensions: Uint8Array
  /** TLS HashAlgorithm and SignatureAlgorithm (RFC 5246 §7.4.1.4.1). */
  readonly hashAlgorithm: number
  readonly signatureAlgorithm: number
  readonly signature: Uint8Array
}

/** How timestamps are read out of a certificate, and what they are for. */
export type SctParts = {
  readonly scts: (certificate: Certificate) => readonly SignedCertificateTimestamp[]
  readonly precertificate: (certificate: Certificate) => Uint8Array
}

/** What one timestamp proved, or why it proves nothing. */
export type SctResult =
  | { readonly ok: true; readonly logId: Uint8Array; readonly timestampMs: number; readonly baseUrl: string }
  | { readonly ok: false; readonly reason: string }

const maxScts = 16

/**
 * The timestamps embedded in a certificate, at most 16; none when the extension is absent.
 * Throws `sct_malformed` for what is not exactly a SignedCertificateTimestampList of version 0.
 */
export function embeddedScts(certificate: Certificate): readonly SignedCertificateTimestamp[] {
  const extension = certificate.extensions.get(extensionOid.sctList)
  if (extension === undefined) return []
  const encoded = withDerCode('sct_malformed', 'SCT extension', () => readOctetString(parseDer(extension.value)))
  const outer = tlsReader(encoded, malformed)
  const list = tlsReader(outer.vector(), malformed)
  outer.end()
  const scts: SignedCertificateTimestamp[] = []
  do {
    if (scts.length === maxScts) throw malformed(`more than ${maxScts} timestamps`)
    scts.push(readSct(list.vector()))
  } while (!list.atEnd())
  return scts
}

/** RFC 6962 §3.2, SignedCertificateTimestamp. */
function readSct(bytes: Uint8Array): SignedCertificateTimestamp {
  const reader = tlsReader(bytes, malformed)
  const version = reader.uint(1)
  if (version !== 0) throw malformed(`version ${version}`)
  const logId = reader.take(32)
  const timestampMs = reader.uint(8)
  const extensions = reader.vector()
  const hashAlgorithm = reader.uint(1)
  const signatureAlgorithm = reader.uint(1)
  const signature = reader.vector()
  reader.end()
  if (!Number.isSafeInteger(timestampMs)) throw malformed('a time beyond 2^53 milliseconds')
  return { logId, timestampMs, extensions, hashAlgorithm, signatureAlgorithm, signature }
}

/**
 * The TBSCertificate without its SCT extension, DER: what the CA had shown to the log, its poison taken away (RFC 6962 §3.2).
 * Everything else is copied as found; only the lengths around it change. `without` names the extension that is left out: that of a precertificate
 * itself is the poison.
 */
export function precertificateTbs(certificate: Certificate, without: string = extensionOid.sctList): Uint8Array {
  const fields = readSequence(parseDer(certificate.tbs)).map((field) => {
    if (!isContext(field, 3)) return field.raw
    const kept = readSequence(readExplicit(field, 3)).filter((extension) => readOid(extension.children()[0]) !== without)
    return kept.length === 0 ? new Uint8Array() : derExplicit(3, derSequence(...kept.map((extension) => extension.raw)))
  })
  return derSequence(...fields)
}

/** The bytes that a log signs for a precertificate (RFC 6962 §3.2); `issuerKeyHash` is SHA-256 of the issuer's SPKI. */
export function sctSignedData(
  sct: Pick<SignedCertificateTimestamp, 'timestampMs' | 'extensions'>,
  issuerKeyHash: Uint8Array,
  tbs: Uint8Array,
): Uint8Array {
  const version = 0
  const certificateTimestamp = 0
  const precertEntry = 1
  return concatBytes(
    Uint8Array.of(version, certificateTimestamp),
    tlsUint(sct.timestampMs, 8),
    tlsUint(precertEntry, 2),
    issuerKeyHash,
    tlsUint(tbs.length, 3),
    tbs,
    tlsUint(sct.extensions.length, 2),
    sct.extensions,
  )
}

/**
 * Checks every timestamp embedded in a certificate against the CT logs of the trusted root. One result for each, in order; none when the
 * certificate has none. `issuerSpki` is the key of the certificate that issued the leaf, from a verified chain.
 */
export async function verifyScts(input: {
  readonly leaf: Certificate
  readonly issuerSpki: Uint8Array
  readonly ctLogs: readonly LogInstance[]
  readonly primitives: Primitives
  /** How `leaf` is read; for verifying many. */
  readonly parts?: SctParts
}): Promise<readonly SctResult[]> {
  const { leaf, issuerSpki, ctLogs, primitives, parts } = input
  try {
    const scts = parts === undefined ? embeddedScts(leaf) : parts.scts(leaf)
    if (scts.length === 0) return []
    const issuerKeyHash = await primitives.hash('sha256', issuerSpki)
    const tbs = parts === undefined ? precertificateTbs(leaf) : parts.precertificate(leaf)
    const results: SctResult[] = []
    for (const sct of scts) results.push(await verifySct(sct, sctSignedData(sct, issuerKeyHash, tbs), ctLogs, primitives))
    return results
  } catch (cause) {
    if (!(cause instanceof CountersignError) || !refusable.has(cause.code)) throw cause
    return [{ ok: false, reason: cause.message }]
  }
}

const refusable: ReadonlySet<string> = new Set(['sct_malformed', 'der_too_large', 'der_too_deep', 'der_malformed'])

async function verifySct(
  sct: SignedCertificateTimestamp,
  signedData: Uint8Array,
  ctLogs: readonly LogInstance[],
  primitives: Primitives,
): Promise<SctResult> {
  const logs = ctLogs.filter((log) => equalBytes(log.logId, sct.logId))
  if (logs.length === 0) return { ok: false, reason: `no log of the trusted root has the identifier ${bytesToBase64(sct.logId)}` }
  let reason = ''
  for (const log of logs) {
    const problem = await sctProblem(sct, signedData, log, primitives)
    if (problem === undefined) return { ok: true, logId: sct.logId, timestampMs: sct.timestampMs, baseUrl: log.baseUrl }
    reason = `${log.baseUrl}: ${problem}`
  }
  return { ok: false, reason }
}

async function sctProblem(
  sct: SignedCertificateTimestamp,
  signedData: Uint8Array,
  log: LogInstance,
  primitives: Primitives,
): Promise<string | undefined> {
  const { start, end } = log.validFor
  if (sct.timestampMs < start || (end !== undefined && sct.timestampMs > end)) {
    return 'the timestamp is outside the time in which the log key was valid'
  }
  const [scheme, hash] = [schemes[sct.signatureAlgorithm], hashes[sct.hashAlgorithm]]
  const algorithm = scheme && hash && algorithmOfScheme(log.publicKey, scheme, hash)
  if (!algorithm) return 'the signature algorithm does not fit the key of the log'
  return (await primitives.verify(algorithm, log.publicKey, signedData, sct.signature)) ? undefined : 'the signature is wrong'
}

/** RFC 5246 §7.4.1.4.1 and RFC 8422 §5.1.3; 8 is "intrinsic", for Ed25519, which hashes by itself. */
const hashes: Readonly<Record<number, HashAlgorithm>> = { 4: 'sha256', 5: 'sha384', 6: 'sha512', 8: 'sha512' }
const schemes: Readonly<Record<number, SignatureScheme>> = { 1: 'rsa-pkcs1v15', 3: 'ecdsa', 7: 'ed25519' }

function malformed(detail: string): CountersignError {
  return new CountersignError('sct_malformed', `not a list of signed certificate timestamps: ${detail}`)
}
