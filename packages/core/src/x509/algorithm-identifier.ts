/** AlgorithmIdentifier (RFC 5280 §4.1.1.2) and the signature algorithm that one means together with a key. */
import { derMalformed } from '../der/element.ts'
import { derTag, parseDer, readExplicit, readOid, readSequence, readSmallInteger, type DerNode } from '../der/reader.ts'
import { derNull, derOid, derSequence } from '../der/writer.ts'
import { hashLength, type HashAlgorithm } from '../digest.ts'
import { CountersignError } from '../failure.ts'
import { algorithmFor, defaultAlgorithm, type SignatureAlgorithm, type SignatureScheme } from '../keys/algorithm.ts'
import type { PublicKey } from '../keys/public-key.ts'
import { algorithmOid } from './oids.ts'

/** An algorithm and its parameters, as found. */
export type AlgorithmIdentifier = {
  readonly oid: string
  /** The parameters, DER; absent when there are none. */
  readonly parameters?: Uint8Array
  /** The whole AlgorithmIdentifier, DER. */
  readonly raw: Uint8Array
}

/** Reads an AlgorithmIdentifier. Throws `der_malformed`. */
export function readAlgorithmIdentifier(node: DerNode | undefined): AlgorithmIdentifier {
  const [algorithm, parameters, extra] = readSequence(node)
  if (extra !== undefined) throw derMalformed('an AlgorithmIdentifier has too many fields')
  const { raw } = node as DerNode
  return parameters === undefined ? { oid: readOid(algorithm), raw } : { oid: readOid(algorithm), parameters: parameters.raw, raw }
}

const hashes: Readonly<Record<string, HashAlgorithm>> = {
  [algorithmOid.sha256]: 'sha256',
  [algorithmOid.sha384]: 'sha384',
  [algorithmOid.sha512]: 'sha512',
}

const signatures: Readonly<Record<string, { readonly scheme: SignatureScheme; readonly hash: HashAlgorithm }>> = {
  [algorithmOid.ecdsaWithSha256]: { scheme: 'ecdsa', hash: 'sha256' },
  [algorithmOid.ecdsaWithSha384]: { scheme: 'ecdsa', hash: 'sha384' },
  [algorithmOid.ecdsaWithSha512]: { scheme: 'ecdsa', hash: 'sha512' },
  [algorithmOid.sha256WithRsa]: { scheme: 'rsa-pkcs1v15', hash: 'sha256' },
  [algorithmOid.sha384WithRsa]: { scheme: 'rsa-pkcs1v15', hash: 'sha384' },
  [algorithmOid.sha512WithRsa]: { scheme: 'rsa-pkcs1v15', hash: 'sha512' },
  [algorithmOid.ed25519]: { scheme: 'ed25519', hash: 'sha512' },
}

/** The hash function that an identifier names; `undefined` for others (SHA-1 among them) and for parameters other than NULL. */
export function hashOfIdentifier(identifier: AlgorithmIdentifier): HashAlgorithm | undefined {
  return hasNoParameters(identifier) ? hashes[identifier.oid] : undefined
}

/**
 * What a signature's AlgorithmIdentifier means under a key: scheme and hash come from the identifier, the curve or size from the key,
 * so that P-384 with SHA-256 is possible, as X.509 allows. `undefined` when key and algorithm do not fit or are not supported; throws
 * `der_malformed` for parameters that cannot be read.
 */
export function signatureAlgorithmOf(identifier: AlgorithmIdentifier, key: PublicKey): SignatureAlgorithm | undefined {
  if (identifier.oid === algorithmOid.rsassaPss) {
    const hash = pssHash(identifier.parameters)
    return hash && algorithmOfScheme(key, 'rsa-pss', hash)
  }
  const found = signatures[identifier.oid]
  if (found === undefined) return undefined
  // RFC 5758 §3.2 and RFC 8410 §3: no parameters. RFC 4055 §5: NULL, and absent is accepted.
  const allowed = found.scheme === 'rsa-pkcs1v15' ? hasNoParameters(identifier) : identifier.parameters === undefined
  return allowed ? algorithmOfScheme(key, found.scheme, found.hash) : undefined
}

/**
 * The AlgorithmIdentifier of a signature, DER: no parameters for ECDSA and Ed25519 (RFC 5758 §3.2, RFC 8410 §3), NULL for RSA PKCS#1 v1.5
 * (RFC 4055 §5). Throws `algorithm_unsupported` for others. The same bytes for the same algorithm: not to be changed.
 */
export function encodeAlgorithmIdentifier({ scheme, hash }: Pick<SignatureAlgorithm, 'scheme' | 'hash'>): Uint8Array {
  const name = `${scheme} ${hash}`
  const known = written.get(name)
  if (known !== undefined) return known
  const found = Object.entries(signatures).find(([, row]) => row.scheme === scheme && row.hash === hash)
  if (found === undefined) throw new CountersignError('algorithm_unsupported', `certificates are not signed with ${name} here`)
  const encoded = scheme === 'rsa-pkcs1v15' ? derSequence(derOid(found[0]), derNull()) : derSequence(derOid(found[0]))
  written.set(name, encoded)
  return encoded
}

const written = new Map<string, Uint8Array>()

/** The algorithm of a scheme and hash under a key; `undefined` when the key is of another kind. */
export function algorithmOfScheme(key: PublicKey, scheme: SignatureScheme, hash: HashAlgorithm): SignatureAlgorithm | undefined {
  if (scheme === 'ed25519') return key.type === 'ed25519' ? defaultAlgorithm(key) : undefined
  if (key.type === 'ed25519') return undefined
  const algorithm = algorithmFor(key, hash, scheme === 'rsa-pss' ? 'pss' : 'pkcs1v15')
  return algorithm.scheme === scheme ? algorithm : undefined
}

function hasNoParameters(identifier: AlgorithmIdentifier): boolean {
  return identifier.parameters === undefined || (identifier.parameters.length === 2 && identifier.parameters[0] === derTag.null)
}

/** RFC 4055 §3.1: only the usual form is supported, one hash for message and mask and a salt of its length. */
function pssHash(parameters: Uint8Array | undefined): HashAlgorithm | undefined {
  if (parameters === undefined) return undefined
  const fields = readSequence(parseDer(parameters))
  if (fields.length < 3 || fields.length > 4) return undefined
  const hash = hashOfIdentifier(readAlgorithmIdentifier(readExplicit(fields[0], 0)))
  const mask = readAlgorithmIdentifier(readExplicit(fields[1], 1))
  if (hash === undefined || mask.oid !== algorithmOid.mgf1 || mask.parameters === undefined) return undefined
  if (hashOfIdentifier(readAlgorithmIdentifier(parseDer(mask.parameters))) !== hash) return undefined
  if (readSmallInteger(readExplicit(fields[2], 2)) !== hashLength[hash]) return undefined
  return fields[3] === undefined || readSmallInteger(readExplicit(fields[3], 3)) === 1 ? hash : undefined
}
