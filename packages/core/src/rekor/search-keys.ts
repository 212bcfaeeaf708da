/** By what an entry is found: the digest that was signed, the key, the names in the certificate (sigstore/rekor, `IndexKeys`). Read from kept bodies. */
import { base64ToBytes } from '../base64.ts'
import { bytesToHex, fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { parseJson, type JsonValue } from '../json/parse.ts'
import { encodePublicKeyPem, parsePublicKey } from '../keys/public-key.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { decodePem, encodePem } from '../pem.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'

const [maxKeys, maxCertificates] = [64, 8]

/** The key under which a PEM is found: SHA-256 of its canonical bytes, in hexadecimal. */
export function signerKey(primitives: SyncHash, canonicalPem: Uint8Array): string {
  return bytesToHex(primitives.hash('sha256', canonicalPem))
}

/** By what an entry is found. */
export type EntryKeys = {
  /** As they stand in the entry: `sha256:hex` of what was signed, SHA-256 of the signer's PEM. */
  readonly keys: readonly string[]
  /** Certificates in it. Hostile: anybody can write any name into one; see `certificateNames`. */
  readonly certificates: readonly Certificate[]
}

/** The keys of an entry by its body, of Rekor v1 and v2. What does not parse has none: the log kept it, and search is no proof. */
export function entryKeys(primitives: SyncHash, body: Uint8Array): EntryKeys {
  const found: Found = { keys: new Set(), certificates: [] }
  try {
    collect(primitives, parseJson(body), found, 0)
  } catch (failure) {
    if (!(failure instanceof CountersignError)) throw failure
  }
  return { keys: [...found.keys].slice(0, maxKeys), certificates: found.certificates.slice(0, maxCertificates) }
}

/** The names in a certificate, 64 at most. They are those of its signer only if the certificate is by an authority that is believed. */
export function certificateNames(certificate: Certificate): readonly string[] {
  return certificate.alternativeNames
    .flatMap((name) => ('value' in name && typeof name.value === 'string' ? [name.value] : []))
    .slice(0, maxKeys)
}

/** The key under which a name is found, which is no key of anything else that an entry can hold. */
export function nameKey(name: string): string {
  return `name=${name}`
}

type Found = { readonly keys: Set<string>; readonly certificates: Certificate[] }

/** Walks the whole body: the kinds differ in where things stand, not in what they are called. */
function collect(primitives: SyncHash, value: JsonValue, found: Found, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > 8) return
  if (Array.isArray(value)) {
    for (const item of value.slice(0, maxKeys)) collect(primitives, item, found, depth + 1)
    return
  }
  const object = value as { readonly [name: string]: JsonValue }
  const { algorithm, value: hash, digest, rawBytes, content, verifier, publicKey } = object
  if (isHash(algorithm) && typeof hash === 'string') found.keys.add(`${algorithm}:${hash}`)
  if (isHash(algorithm) && typeof digest === 'string') {
    found.keys.add(`${algorithm.replace('SHA2_', 'sha')}:${bytesToHex(base64ToBytes(digest))}`)
  }
  if (typeof rawBytes === 'string') addRaw(primitives, base64ToBytes(rawBytes), found)
  for (const pem of [content, verifier, publicKey]) {
    if (typeof pem === 'string') addPem(primitives, base64ToBytes(pem), found)
  }
  for (const member of Object.values(object)) collect(primitives, member, found, depth + 1)
}

/** Hostile: what is found under a digest must not be found under anything else. */
function isHash(algorithm: JsonValue | undefined): algorithm is string {
  return typeof algorithm === 'string' && /^[A-Za-z0-9_-]{1,16}$/.test(algorithm)
}

function addPem(primitives: SyncHash, pem: Uint8Array, found: Found): void {
  // `content` is also the name of signatures.
  if (pem[0] !== 0x2d) return
  found.keys.add(signerKey(primitives, pem))
  const [block] = decodePem(fromUtf8(pem))
  if (block?.label === 'CERTIFICATE') found.certificates.push(parseCertificate(block.bytes))
}

/** Rekor v2 keeps DER: found under the same key as the PEM of v1. */
function addRaw(primitives: SyncHash, der: Uint8Array, found: Found): void {
  const certificate = readCertificate(der)
  const pem = certificate === undefined ? encodePublicKeyPem(parsePublicKey(der)) : encodePem('CERTIFICATE', der)
  found.keys.add(signerKey(primitives, utf8(pem)))
  if (certificate !== undefined) found.certificates.push(certificate)
}

function readCertificate(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (failure) {
    if (failure instanceof CountersignError) return undefined
    throw failure
  }
}
