/** By what an entry is found: the digest that was signed, the key, the names in the certificate (sigstore/rekor, `IndexKeys`). Read from kept bodies. */
import { base64ToBytes } from '../base64.ts'
import { bytesToHex, fromUtf8, utf8 } from '../bytes.ts'
import { CountersignError } from '../failure.ts'
import { parseJson, type JsonValue } from '../json/parse.ts'
import { encodePublicKeyPem, parsePublicKey } from '../keys/public-key.ts'
import type { SyncHash } from '../merkle/tree.ts'
import { decodePem, encodePem } from '../pem.ts'
import { parseCertificate, type Certificate } from '../x509/certificate.ts'

const maxKeys = 64

/** The key under which a PEM is found: SHA-256 of its canonical bytes, in hexadecimal. */
export function signerKey(primitives: SyncHash, canonicalPem: Uint8Array): string {
  return bytesToHex(primitives.hash('sha256', canonicalPem))
}

/**
 * The keys of an entry by its body, of Rekor v1 and v2, in lower case: `sha256:hex` of what was signed, SHA-256 of the signer's PEM, names in
 * the certificate. What does not parse has none: the log kept it, and search is no proof.
 */
export function searchKeys(primitives: SyncHash, body: Uint8Array): readonly string[] {
  return entryKeys(primitives, body).map((key) => key.toLowerCase())
}

/** The same as they stand in the entry. */
export function entryKeys(primitives: SyncHash, body: Uint8Array): readonly string[] {
  const found = new Set<string>()
  try {
    collect(primitives, parseJson(body), found, 0)
  } catch (failure) {
    if (!(failure instanceof CountersignError)) throw failure
  }
  return [...found].slice(0, maxKeys)
}

/** Walks the whole body: the kinds differ in where things stand, not in what they are called. */
function collect(primitives: SyncHash, value: JsonValue, found: Set<string>, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > 8) return
  if (Array.isArray(value)) {
    for (const item of value.slice(0, maxKeys)) collect(primitives, item, found, depth + 1)
    return
  }
  const object = value as { readonly [name: string]: JsonValue }
  const { algorithm, value: hash, digest, rawBytes, content, verifier, publicKey } = object
  if (typeof algorithm === 'string' && typeof hash === 'string') found.add(`${algorithm}:${hash}`)
  if (typeof algorithm === 'string' && typeof digest === 'string') {
    found.add(`${algorithm.replace('SHA2_', 'sha')}:${bytesToHex(base64ToBytes(digest))}`)
  }
  if (typeof rawBytes === 'string') addRaw(primitives, base64ToBytes(rawBytes), found)
  for (const pem of [content, verifier, publicKey]) {
    if (typeof pem === 'string') addPem(primitives, base64ToBytes(pem), found)
  }
  for (const member of Object.values(object)) collect(primitives, member, found, depth + 1)
}

function addPem(primitives: SyncHash, pem: Uint8Array, found: Set<string>): void {
  // `content` is also the name of signatures.
  if (pem[0] !== 0x2d) return
  found.add(signerKey(primitives, pem))
  const [block] = decodePem(fromUtf8(pem))
  if (block?.label === 'CERTIFICATE') addNames(parseCertificate(block.bytes), found)
}

/** Rekor v2 keeps DER: found under the same key as the PEM of v1. */
function addRaw(primitives: SyncHash, der: Uint8Array, found: Set<string>): void {
  const certificate = readCertificate(der)
  const pem = certificate === undefined ? encodePublicKeyPem(parsePublicKey(der)) : encodePem('CERTIFICATE', der)
  found.add(signerKey(primitives, utf8(pem)))
  if (certificate !== undefined) addNames(certificate, found)
}

function readCertificate(der: Uint8Array): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (failure) {
    if (failure instanceof CountersignError) return undefined
    throw failure
  }
}

function addNames(certificate: Certificate, found: Set<string>): void {
  for (const name of certificate.alternativeNames) if ('value' in name && typeof name.value === 'string') found.add(name.value)
}
